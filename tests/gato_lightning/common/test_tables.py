"""What the terminal shows: whole at 80 columns."""
