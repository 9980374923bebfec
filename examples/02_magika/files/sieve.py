"""Prime numbers below a bound, by the sieve of Eratosthenes."""

import sys


def primes(bound: int) -> list[int]:
    """List the primes below a bound in order."""
    composite = bytearray(bound)
    found = []
    for number in range(2, bound):
        if composite[number]:
            continue
        found.append(number)
        for multiple in range(number * number, bound, number):
            composite[multiple] = 1
    return found


if __name__ == "__main__":
    for prime in primes(int(sys.argv[1])):
        print(prime)
