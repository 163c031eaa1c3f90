"""Whose checkpoints may move an arm: an Ed25519 key that the trainer signs with and the robot has pinned.

Called by `stages.shipping` (sign), by the nodes that act on checkpoints (verify) and by `rig keys`. In the key folder:
`trainer.key`, secret; `trainer.pub`, its public half; `trusted.pub`, the one trainer that this robot believes. A
machine that trains for itself believes itself, until a person says otherwise.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from robot_rig.disk import unwritable, write_atomically
from robot_rig.errors import UserError
from robot_rig.stranger_files import read_regular

FOLDER_VARIABLE = "ROBOT_RIG_KEYS"
SECRET, PUBLIC, TRUSTED = "trainer.key", "trainer.pub", "trusted.pub"
KEY_BYTES = 4096
"""More than any key file has."""

OTHERS = 0o077


def key_folder() -> Path:
    """Where this person has keys: ROBOT_RIG_KEYS, or .config/robot-rig/keys at home. UserError for who has no home."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen)
    try:
        return Path.home() / ".config" / "robot-rig" / "keys"
    except RuntimeError as error:
        raise UserError("you have no home folder for keys", next_step=f"name one in {FOLDER_VARIABLE}") from error


@dataclass(frozen=True)
class TrainerKey:
    """The secret half."""

    _key: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """64 bytes, the same for the same message."""
        return self._key.sign(message)

    @property
    def public(self) -> Pin:
        """The other half."""
        return Pin(self._key.public_key())

    @classmethod
    def own(cls, folder: Path) -> TrainerKey:
        """This machine's key; made, and believed by this machine, where there is none yet.

        Raises UserError when it cannot be made, is no key, or others may read it.
        """
        path = folder / SECRET
        if not path.exists():
            _make(folder)
        try:
            if path.stat().st_mode & OTHERS:
                raise UserError(f"others may read {path}", next_step="chmod 600 it, or remove it")
            key = serialization.load_pem_private_key(read_regular(path, "key", KEY_BYTES), None)
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} is no key: {error}", next_step="restore it, or remove it for a new one") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise UserError(f"{path} is no Ed25519 key", next_step="remove it: `rig keys init` makes a new one")
        own = cls(key)
        if not (folder / PUBLIC).exists():
            # Its first use, or the one before was ended between making it and saying so.
            if not (folder / TRUSTED).exists():
                own.public.save(folder / TRUSTED)
            own.public.save(folder / PUBLIC)
        return own


def _make(folder: Path) -> None:
    """A fresh key in `folder`; whoever is first wins, where two processes ask at once."""
    secret = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, fresh = tempfile.mkstemp(prefix=f".{SECRET}.", dir=folder)
        try:
            with open(handle, "wb") as file:
                file.write(secret)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(fresh, folder / SECRET)
        finally:
            os.unlink(fresh)
    except OSError as error:
        raise UserError(
            f"cannot make a key in {folder}: {error.strerror}", next_step=f"name a folder of yours in {FOLDER_VARIABLE}"
        ) from error


@dataclass(frozen=True)
class Pin:
    """The public half: what a robot believes."""

    _key: Ed25519PublicKey

    @classmethod
    def load(cls, path: Path) -> Pin:
        """The key in the file `path`. Raises UserError when there is none."""
        try:
            key = serialization.load_pem_public_key(read_regular(path, "public key", KEY_BYTES))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} is no public key: {error}", next_step="give the trainer's trainer.pub") from error
        if not isinstance(key, Ed25519PublicKey):
            raise UserError(f"{path} is no Ed25519 key", next_step="give the trainer's trainer.pub")
        return cls(key)

    @classmethod
    def trusted(cls, folder: Path) -> Pin:
        """The trainer that this robot believes. Raises UserError while it believes nobody."""
        path = folder / TRUSTED
        if not path.exists():
            raise UserError(
                "this robot believes no trainer yet",
                next_step="copy trainer.pub from the machine that trains and run `rig keys trust trainer.pub`; where "
                "robot and trainer are one machine, `rig keys init`",
            )
        return cls.load(path)

    def save(self, path: Path) -> None:
        """Write it to `path`. Raises UserError when that fails."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise unwritable(path, error) from error
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        write_atomically(path, self._key.public_bytes(serialization.Encoding.PEM, kind))

    @property
    def name(self) -> str:
        """Sixteen hex digits to tell keys apart by."""
        return self._key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()[:16]

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Whether the owner of the secret half has signed `message`."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True
