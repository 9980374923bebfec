"""What the project costs and how fast it is, measured next to a rival or a floor: `make bench`."""
