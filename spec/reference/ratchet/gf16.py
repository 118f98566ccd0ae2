"""The field of 65,536 elements: polynomials over GF(2) modulo x^16 + x^12 + x^3 + x + 1. [SES-39]

Sum and difference are XOR.
"""

MODULUS = 0x1100B


def multiply(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a >> 16:
            a ^= MODULUS
        b >>= 1
    return product


def invert(a: int) -> int:
    """1 / a, which is a to the power of 65,534."""
    if a == 0:
        raise ZeroDivisionError
    result = 1
    for _ in range(15):
        a = multiply(a, a)
        result = multiply(result, a)
    return result


def lagrange(points: list[int], x: int) -> list[int]:
    """By what the values at `points` are multiplied so that their sum is the value at `x`."""
    coefficients = []
    for i, at in enumerate(points):
        above, below = 1, 1
        for j, other in enumerate(points):
            if i != j:
                above = multiply(above, x ^ other)
                below = multiply(below, at ^ other)
        coefficients.append(multiply(above, invert(below)))
    return coefficients
