"""A wrapped key from one wrapping key to another, inside the token that holds both."""

from pkcs11 import ObjectClass

from hsm.generation import Export, guarding_attributes
from hsm.limits import limited_write
from hsm.token import Token
from hsm.wrapping import WrappedKey, unwrap, wrap
from kernel.algorithms import PublicKey


@limited_write
def rewrap(token: Token, wrapped: WrappedKey, old: str, new: str) -> WrappedKey:
    """`old`, `new`: labels of secret keys of `token`. What comes out was opened once under `new`:
    after that nobody misses `old`.

    Raises Malformed `wrapped-key.malformed`, when `old` did not wrap it; Unavailable
    `token.no-key`, `token.mechanism` and as the token does.
    """
    passing = guarding_attributes(Export.WRAPPED)
    with token.pool.write() as session:
        before = session.get_key(ObjectClass.SECRET_KEY, label=old)
        after = session.get_key(ObjectClass.SECRET_KEY, label=new)
        private = unwrap(session, before, wrapped, "", guard=passing, store=False)
        made = wrap(after, private, PublicKey.from_spki(wrapped.spki), wrapped.use)
        unwrap(session, after, made, "", guard=passing, store=False)
        return made
