"""The calls of the admin service that are about tokens."""

from quotad.errors import InvalidRequest
from quotad.operations.parts import AdminParts
from quotad.operations.tokens import KEPT_MS, ShownToken
from quotad.service.admin_parts import mapped, mapped_write
from quotad.service.decode import moment
from quotad.service.encode import timestamp
from quotad.tokens.record import NewToken, WantedToken
from quotad.tokens.roles import TokenRole
from quotad.v1 import admin_pb2 as pb

_ROLES = {pb.TokenRole.Value(f"TOKEN_ROLE_{role.name}"): role for role in TokenRole}


class TokenCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped_write
    def CreateToken(self, request: pb.CreateTokenRequest, actor: str) -> pb.NewToken:
        """Make a token; only this answer has its secret."""
        role = _ROLES.get(request.role)
        if role is None:
            raise InvalidRequest(f"role: {request.role} is not one this server knows")
        wanted = WantedToken(
            request.name,
            role,
            tuple(request.customers),
            tuple(request.features),
            moment(request, "expires_at"),
        )
        return self._new(self._parts.tokens.create(wanted, actor))

    @mapped
    def ListTokens(self, request: pb.ListTokensRequest) -> pb.ListTokensResponse:
        """Every token, without what is secret."""
        return pb.ListTokensResponse(tokens=map(_message, self._parts.tokens.list()))

    @mapped_write
    def RotateToken(self, request: pb.RotateTokenRequest, actor: str) -> pb.NewToken:
        """Make a token like another, which ends after a while."""
        keep_ms = request.keep_ms if request.HasField("keep_ms") else KEPT_MS
        return self._new(self._parts.tokens.rotate(request.token_id, keep_ms, actor))

    @mapped_write
    def RevokeToken(self, request: pb.RevokeTokenRequest, actor: str) -> pb.Token:
        """End a token."""
        tokens = self._parts.tokens
        return _message(tokens.shown(tokens.revoke(request.token_id, actor)))

    def _new(self, new: NewToken) -> pb.NewToken:
        shown = self._parts.tokens.shown(new.record)
        return pb.NewToken(token=_message(shown), secret=new.token, signing_key=new.signing_key)


def _message(shown: ShownToken) -> pb.Token:
    record = shown.record
    return pb.Token(
        token_id=record.token_id,
        name=record.name,
        role=f"TOKEN_ROLE_{record.role.name}",
        customers=record.customers,
        features=record.features,
        created_at=timestamp(record.created_ms),
        expires_at=timestamp(record.expires_ms),
        revoked_at=timestamp(record.revoked_ms),
        used_at=timestamp(shown.used_ms),
        live=shown.live,
        created_by=record.created_by,
        ended_by=record.ended_by,
    )
