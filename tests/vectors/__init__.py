"""Golden vectors, and the program that makes those which no standard publishes."""
