"""What predictors of whole scans have in common."""

import math


class Predictor:
    """Predicts whole scans piece by piece.

    A subclass has `units`, `pieces` and `multiplications`, and `joined` where
    pieces are not yet tiles.

    Attributes:
        num_classes: Number of classes.
        num_channels: Channels of the image.
        setup_multiplications: What every call of `tiles` multiplies before its
            first tile.
    """

    setup_multiplications = 0

    def units(self, shape):
        """Sides in voxels of the smallest box of a scan of this shape."""
        raise NotImplementedError

    def tiles(self, scan, boxes=None):
        """Predicts a scan, or boxes of it.

        Args:
            scan: A `Scan`.
            boxes: Boxes of voxels, triples of slices within the scan that
                start and stop at multiples of `units`, or stop where the scan
                does; the whole scan if `None`. What is predicted is the same,
                within rounding.

        Yields:
            `(start, probabilities)`: first voxel of a tile and float32
            `(x, y, z, classes)`, valid until the next tile is asked for. The
            tiles cover every voxel once, box by box; slabs come in the order
            of the first axis.

        Raises:
            ValueError: If channels do not fit.
        """
        yield from self.joined(scan, boxes, self.pieces(scan, boxes))

    def pieces(self, scan, boxes=None, part=(0, 1)):
        """Predicts what tiles are made of.

        Several devices can share the pieces of a scan.

        Args:
            scan: A `Scan`.
            boxes: As of `tiles`.
            part: Which pieces are predicted: of `(k, n)` every n-th from the
                k-th on, counted from 0.

        Yields:
            `(start, probabilities)`, where `start` depends on the predictor.
        """
        raise NotImplementedError

    def joined(self, scan, boxes, pieces):
        """Makes tiles of pieces, which by default are the tiles.

        Args:
            scan: A `Scan`.
            boxes: As of `tiles`.
            pieces: All that `pieces` yields, in this order.

        Yields:
            What `tiles` does.
        """
        yield from pieces

    def multiplications(self, scan, boxes=None):
        """What `tiles` multiplies, counted from its shapes.

        Args:
            scan: A `Scan`.
            boxes: As of `tiles`.

        Returns:
            int.
        """
        raise NotImplementedError

    def num_voxels(self, scan, boxes=None):
        """Voxels of all pieces together."""
        if boxes is None:
            return math.prod(scan.shape)
        return sum(
            math.prod(part.stop - part.start for part in box) for box in boxes
        )

    def check(self, shape):
        """Refuses a scan that cannot be predicted in the memory allowed.

        Args:
            shape: Voxels along the three axes.

        Raises:
            TileMemoryError: If not even the smallest tile is allowed.
        """

    def check_channels(self, scan):
        """Checks that a scan has the channels of the network.

        Raises:
            ValueError: If not.
        """
        if scan.num_channels != self.num_channels:
            raise ValueError(
                f"The model was made for {self.num_channels} "
                f"channel(s). Received a scan of {scan.num_channels}."
            )
