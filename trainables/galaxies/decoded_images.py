"""The decoding of many image files by threads, in blocks, for the writing of a galaxy file."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from trainables.files import DAMAGE, one_line
from trainables.galaxies.image_files import read_image
from trainables.galaxies.image_listing import ListedImage
from trainables.galaxies.skipped import Skipped

_BLOCK = 1 << 26  # bytes of pixels in a block: 64 MiB


class DecodedImages:
    """An iterable of blocks of decoded images, which can be iterated once.

    ids: the galaxy ids of the images of the blocks so far, in their order. skipped: the images so
    far that could not be decoded or are smaller than the crop, with the reasons.
    """

    def __init__(
        self,
        images: Mapping[int, ListedImage],
        *,
        crop: int,
        side: int,
        num_threads: int,
        on_image: Callable[[], None],
    ) -> None:
        """Store what is to be decoded; no image is opened yet.

        images: the images by galaxy id, in the order of the blocks. crop, side: as in
        `read_image`, in pixels. num_threads: number of threads that decode, at least 1; ValueError
        is raised by the iteration otherwise. on_image: is called after each image.
        """
        self._images, self._crop, self._side = images, crop, side
        self._num_threads, self._on_image = num_threads, on_image
        self.ids: list[int] = []
        self.skipped: list[Skipped] = []

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Yield blocks [b, S, S, 3] uint8 of at most 64 MiB or one image; S is `side`."""
        galaxies = list(self._images.items())
        length = max(1, _BLOCK // (self._side * self._side * 3))
        with ThreadPoolExecutor(self._num_threads) as pool:
            try:
                for start in range(0, len(galaxies), length):
                    block = self._block(galaxies[start : start + length], pool)
                    if block:
                        yield np.stack(block)
            except BaseException:  # do not wait for images that nobody needs
                pool.shutdown(cancel_futures=True)
                raise

    def _block(
        self, galaxies: list[tuple[int, ListedImage]], pool: ThreadPoolExecutor
    ) -> list[NDArray[np.uint8]]:
        """Return the pixels of the galaxies that can be decoded, and note all in the two lists."""
        block = []
        decoded = pool.map(self._read, [image for _, image in galaxies])
        for (galaxy_id, image), pixels in zip(galaxies, decoded):
            if isinstance(pixels, str):
                self.skipped.append(Skipped(image.name, pixels))
            else:
                self.ids.append(galaxy_id)
                block.append(pixels)
            self._on_image()
        return block

    def _read(self, image: ListedImage) -> NDArray[np.uint8] | str:
        """Return the pixels of an image, or why the image is skipped."""
        try:
            with image.open() as file:
                return read_image(file, crop=self._crop, side=self._side)
        except DAMAGE as error:
            return one_line(error)
