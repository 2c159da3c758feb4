"""The fronts there are, by the name that the setting `front` has for them."""

from collections.abc import Callable

from quotad.fronts.grpcio import GrpcioFront
from quotad.fronts.interface import Front, FrontSettings
from quotad.fronts.native import NativeFront

FRONTS: dict[str, Callable[[FrontSettings], Front]] = {
    "native": NativeFront,
    "grpcio": GrpcioFront,
}
