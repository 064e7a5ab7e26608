from datamodules.control.experts.point_maze import next_cells

MAP = [
    [1, 1, 1, 1, 1],
    [1, 0, 0, "g", 1],
    [1, 0, 1, 1, 1],
    [1, "r", 1, 0, 1],
    [1, 1, 1, 1, 1],
]


def test_the_shortest_way_leads_around_walls_to_the_goal():
    following = next_cells(MAP, goal=(1, 3))
    cell, way = (3, 1), []
    while cell != (1, 3):
        cell = following[cell]
        way.append(cell)
    assert way == [(2, 1), (1, 1), (1, 2), (1, 3)]
    assert following[1, 3] == (1, 3)


def test_a_cell_without_a_way_has_no_next_one():
    assert (3, 3) not in next_cells(MAP, goal=(1, 3))
