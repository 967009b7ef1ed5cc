"""Every kind of pixels a file may hold: the right RGB values, or a refusal that names the kind."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search_spaces.declaration import InvalidInput
from trainables.galaxies import decode_image, read_image

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
COLOUR = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
HALF = np.full((16, 16), 128, np.uint8)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png(depth: int, kind: int, row: bytes, width: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of one row, of a bit depth and colour type that Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def tiff(pixels: np.ndarray, **tags: int) -> bytes:
    """A TIFF of one strip, of a kind that Pillow cannot write: little-endian, uncompressed."""
    data, (height, width) = pixels.tobytes(), pixels.shape[:2]
    bits = {"bits": pixels.dtype.itemsize * 8, "photometric": 1, "samples": 1, "form": 1} | tags
    entries = [
        (256, tags.get("width", width)),
        (257, height),
        (258, bits["bits"]),
        (259, 1),
        (262, bits["photometric"]),
        (273, 8),
        (277, 1),
        (278, height),
        (279, len(data)),
        (339, bits["form"]),
    ]
    packed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    table = struct.pack("<H", len(entries)) + packed + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + table


def fits() -> bytes:
    """A FITS image of floating-point numbers in 0..1."""
    cards = {"SIMPLE": "T", "BITPIX": -32, "NAXIS": 2, "NAXIS1": 16, "NAXIS2": 16}
    header = "".join(f"{k:8}= {v:>20}".ljust(80) for k, v in cards.items()) + "END".ljust(80)
    return header.ljust(2880).encode() + bytes(2880)


def palette(transparency: bytes | int | None = None) -> bytes:
    image = Image.fromarray(np.tile(np.array([0, 1], np.uint8), (16, 8)), "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    options = {} if transparency is None else {"transparency": transparency}
    return saved(image, "PNG", **options)


def three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def pairs(first: tuple[int, ...], second: tuple[int, ...]) -> np.ndarray:
    """Pixels [16, 16, 3] with two colours in turns, as those of `palette`."""
    return np.tile(np.array([first, second], np.uint8), (16, 8, 1))


def with_alpha(colour: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([colour, alpha]))


WIDE = GREY.astype(np.uint16)
BLENDED = np.round(COLOUR * (128 / 255)).astype(np.uint8)
READ: dict[str, tuple[bytes, np.ndarray]] = {
    "grey of 8 bits": (saved(Image.fromarray(GREY), "PNG"), three(GREY)),
    "colour of 8 bits": (saved(Image.fromarray(COLOUR), "PNG"), COLOUR),
    "TIFF": (saved(Image.fromarray(COLOUR), "TIFF"), COLOUR),
    "packed TIFF": (saved(Image.fromarray(COLOUR), "TIFF", compression="tiff_lzw"), COLOUR),
    "WebP": (saved(Image.fromarray(COLOUR), "WEBP", lossless=True), COLOUR),
    "grey PNG of 16 bits": (saved(Image.fromarray(WIDE * 257), "PNG"), three(GREY)),
    "grey TIFF of 16 bits": (saved(Image.fromarray(WIDE * 257), "TIFF"), three(GREY)),
    "grey TIFF of 16 bits, white is 0": (tiff(~(WIDE * 257), photometric=0), three(GREY)),
    "grey TIFF of 16 bits, big-endian": (
        saved(Image.frombytes("I;16B", (16, 16), (WIDE * 257).astype(">u2").tobytes()), "TIFF"),
        three(GREY),
    ),
    "grey TIFF of 12 bits": (
        tiff(np.array([[0x00, 0x0F, 0xFF]], np.uint8), bits=12, width=2),
        np.array([[[0] * 3, [255] * 3]]),
    ),
    "colour PNG of 16 bits": (
        png(16, 2, (COLOUR[0].astype(">u2") * 257).tobytes(), 16),
        COLOUR[:1],
    ),
    "grey PNG of 16 bits, one value transparent": (
        png(16, 0, struct.pack(">2H", 300, 65535), 2, (b"tRNS", struct.pack(">H", 65535))),
        np.array([[[1] * 3, [0] * 3]]),
    ),
    "one bit": (
        saved(Image.fromarray(GREY > 99), "PNG"),
        three(np.where(GREY > 99, 255, 0).astype(np.uint8)),
    ),
    "palette": (palette(), pairs((10, 20, 30), (200, 100, 50))),
    "palette, one colour transparent": (palette(1), pairs((10, 20, 30), (0, 0, 0))),
    "palette, half transparent": (palette(b"\xff\x80"), pairs((10, 20, 30), (100, 50, 25))),
    "alpha, opaque": (saved(with_alpha(COLOUR, HALF | 255), "PNG"), COLOUR),
    "alpha, half": (saved(with_alpha(COLOUR, HALF), "PNG"), BLENDED),
    "alpha, clear": (saved(with_alpha(COLOUR, HALF * 0), "PNG"), COLOUR * 0),
    "grey with alpha": (
        saved(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(HALF)]), "PNG"),
        three(np.round(GREY * (128 / 255)).astype(np.uint8)),
    ),
    "grey with alpha of 16 bits": (
        png(16, 4, struct.pack(">4H", 51400, 65535, 51400, 0), 2),
        np.array([[[200] * 3, [0] * 3]]),
    ),
    "a colour transparent": (
        png(8, 2, bytes([1, 2, 3, 4, 5, 6]), 2, (b"tRNS", struct.pack(">3H", 1, 2, 3))),
        np.array([[[0, 0, 0], [4, 5, 6]]]),
    ),
    "WebP with alpha": (
        saved(with_alpha(COLOUR, HALF | 255), "WEBP", lossless=True),
        COLOUR,
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_pixels_of_every_kind_are_scaled_rightly(kind: str) -> None:
    content, pixels = READ[kind]
    got = np.asarray(decode_image(io.BytesIO(content)))
    # Blending rounds each of two products.
    assert np.abs(got.astype(int) - pixels).max() <= (1 if "half" in kind or "with" in kind else 0)
    assert got.shape == pixels.shape


RGB = Image.fromarray(COLOUR)
REFUSED: dict[str, tuple[bytes, str]] = {
    "FITS": (fits(), "^FITS is not read; give JPEG, PNG, TIFF or WebP$"),
    "GIF": (saved(RGB, "GIF"), "^GIF is not read; give JPEG, PNG, TIFF or WebP$"),
    "floats": (tiff(np.ones((16, 16), "f4"), form=3), "holds floating-point numbers"),
    "32 bits": (tiff(np.ones((16, 16), "i4"), form=2), "whole numbers of 32 bits"),
    "signed": (tiff(np.ones((16, 16), "i2"), form=2), "or with a sign, whose white"),
    "CMYK": (saved(RGB.convert("CMYK"), "JPEG"), "^holds CMYK colours; save it as RGB$"),
    "LAB": (saved(RGB.convert("LAB"), "TIFF"), "^holds LAB colours; save it as RGB$"),
    "animation": (
        saved(RGB, "PNG", save_all=True, append_images=[Image.new("RGB", (16, 16))]),
        "^holds 2 images in one file; save each",
    ),
    "pages": (saved(RGB, "TIFF", save_all=True, append_images=[RGB] * 2), "^holds 3 im"),
    "frames": (
        saved(RGB, "WEBP", save_all=True, append_images=[Image.new("RGB", (16, 16))]),
        "^holds 2 images",
    ),
    "a transparent colour of 16 bits": (
        png(16, 2, bytes(6), 1, (b"tRNS", struct.pack(">3H", 300, 0, 0))),
        "has 16 bits a channel and a transparent colour",
    ),
    "12 bits": (
        saved(RGB, "JPEG").replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
        "not a readable image .cannot handle 12-bit layers|it is no JPEG",
    ),
    "cut short": (
        saved(RGB.resize((99, 99)), "JPEG")[:900],
        "^not a readable image .image file is truncated.$",
    ),
    "words": (b"no image", "it is no JPEG, PNG, TIFF or WebP file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_pixels_without_an_exact_counterpart_are_refused_by_name(
    kind: str, tmp_path: Path
) -> None:
    content, told = REFUSED[kind]
    (tmp_path / "image.jpg").write_bytes(content)
    with pytest.raises(InvalidInput, match=told) as error:
        decode_image(tmp_path / "image.jpg")
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Pillow warns of damaged tags
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_no_changed_byte_brings_another_error(form: str) -> None:
    whole, chance = saved(RGB, form), np.random.default_rng(0)
    for place in chance.choice(min(len(whole), 400), 300):
        damaged = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        try:
            decode_image(io.BytesIO(damaged))
        except InvalidInput as error:
            assert "\n" not in str(error)


def test_jpegs_are_decoded_as_pillow_decodes_them() -> None:
    for image in (RGB, Image.fromarray(GREY)):
        content = saved(image, "JPEG", quality=90)
        whole = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        np.testing.assert_array_equal(decode_image(io.BytesIO(content)), whole)


def test_an_orientation_that_a_camera_notes_turns_nothing() -> None:
    notes = Image.Exif()
    notes[274] = 6
    plain, noted = saved(RGB, "JPEG"), saved(RGB, "JPEG", exif=notes)
    assert plain != noted
    a, b = (decode_image(io.BytesIO(content)) for content in (plain, noted))
    np.testing.assert_array_equal(a, b)


def test_a_wide_image_keeps_its_central_square() -> None:
    wide = np.zeros((20, 31, 3), np.uint8)
    wide[4:16, 9:21] = COLOUR[:12, :12]
    got = read_image(io.BytesIO(saved(Image.fromarray(wide), "PNG")), crop=12, side=12)
    np.testing.assert_array_equal(got, COLOUR[:12, :12])
