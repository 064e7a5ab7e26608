"""Trains, tests and plays Gato: `python run.py fit --config conf/gato_small.yaml`, `python run.py --help`."""

from datamodules.command_line import main

if __name__ == "__main__":
    main()
