"""The renderer: a scene becomes a 32 x 32 picture, drawn at four times the size and box-filtered."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bench.miniature.scene import Scene

SIZE = 32
_SCALE = 4
_BAND = 4

Colour = tuple[int, int, int]

BACKGROUND_COLOURS: dict[str, Colour] = {
    "white": (245, 245, 245),
    "black": (18, 18, 18),
    "tan": (205, 170, 125),
    "mint": (165, 225, 190),
    "navy": (25, 40, 95),
    "gray": (128, 130, 134),
}
OBJECT_COLOURS: dict[str, Colour] = {
    "red": (215, 40, 40),
    "green": (40, 150, 60),
    "blue": (50, 100, 230),
    "yellow": (240, 215, 50),
    "purple": (140, 60, 175),
    "orange": (240, 135, 30),
}
CONTEXT_COLOURS: dict[str, tuple[Colour, Colour]] = {
    "meadow": (((60, 160, 50)), (190, 220, 60)),
    "harbor": ((30, 110, 190), (235, 240, 245)),
    "quarry": ((150, 85, 45), (70, 55, 50)),
    "bazaar": ((210, 50, 90), (245, 200, 60)),
    "tundra": ((160, 200, 235), (95, 110, 150)),
    "canyon": ((200, 90, 40), (245, 180, 120)),
    "lagoon": ((20, 170, 170), (20, 70, 90)),
    "garden": ((245, 150, 190), (60, 160, 50)),
    "plaza": ((185, 180, 190), (75, 70, 85)),
}
GLYPH_COLOURS: dict[str, Colour] = {
    "VORN": (0, 150, 150),
    "SKELL": (175, 95, 25),
    "DRAZZ": (220, 20, 40),
    "MIRK": (70, 60, 190),
    "GRULL": (130, 200, 20),
    "TAKKO": (250, 190, 0),
    "BR": (225, 40, 190),
    "GE": (225, 40, 190),
    "BU": (225, 40, 190),
    "FE": (225, 40, 190),
    "BE": (225, 40, 190),
    "AR": (225, 40, 190),
}
_SLOTS_Y = (5.0, 14.0, 23.0)
_OCCUPIED = {1: (1,), 2: (0, 2), 3: (0, 1, 2)}
_RADIUS = {1: 3.8, 2: 4.2, 3: 4.6}
_CONTRAST = {1: 0.8, 2: 0.9, 3: 1.0}


@dataclass(frozen=True, slots=True)
class Box:
    """A glyph's true class and place: ``x, y, width, height`` in pixels."""

    name: str
    x: float
    y: float
    width: float
    height: float


def _outline(background: Colour) -> Colour:
    return (20, 20, 20) if sum(background) > 300 else (235, 235, 235)


def _blend(top: Colour, bottom: Colour, share: float) -> Colour:
    return (
        round(top[0] * share + bottom[0] * (1 - share)),
        round(top[1] * share + bottom[1] * (1 - share)),
        round(top[2] * share + bottom[2] * (1 - share)),
    )


def _polygon(cx: float, cy: float, points: list[tuple[float, float]], r: float) -> list[tuple[float, float]]:
    return [((cx + x * r) * _SCALE, (cy + y * r) * _SCALE) for x, y in points]


def _disc(cx: float, cy: float, r: float) -> tuple[float, float, float, float]:
    return ((cx - r) * _SCALE, (cy - r) * _SCALE, (cx + r) * _SCALE, (cy + r) * _SCALE)


_STAR = [(math.sin(math.pi * k / 6) * (1 if k % 2 == 0 else 0.45), -math.cos(math.pi * k / 6) * (1 if k % 2 == 0 else 0.45)) for k in range(12)]
_DIAMOND = [(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)]
_PLUS = [
    (-0.36, -1),
    (0.36, -1),
    (0.36, -0.36),
    (1, -0.36),
    (1, 0.36),
    (0.36, 0.36),
    (0.36, 1),
    (-0.36, 1),
    (-0.36, 0.36),
    (-1, 0.36),
    (-1, -0.36),
    (-0.36, -0.36),
]
_SAW = [(x * 0.707 - y * 0.707, x * 0.707 + y * 0.707) for x, y in _PLUS]
_OBJECT_SHAPES: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
    "triangle": [(0.0, -1.05), (1.05, 0.9), (-1.05, 0.9)],
    "diamond": [(0.0, -1.12), (0.85, 0.0), (0.0, 1.12), (-0.85, 0.0)],
    "cross": _PLUS,
}


def _draw_object(canvas: Image.Image, scene: Scene, cx: float, cy: float, r: float) -> None:
    """Draw the object: an outlined body whose fill is solid, hollow (a thick rim) or striped with white."""
    background = BACKGROUND_COLOURS[scene.background]
    colour = OBJECT_COLOURS[scene.colour]
    outline = _outline(background)
    mask = Image.new("L", canvas.size, 0)
    inner = Image.new("L", canvas.size, 0)
    hole = Image.new("L", canvas.size, 0)
    for layer, radius in ((mask, r + 0.6), (inner, r - 0.3), (hole, r * 0.5)):
        pen = ImageDraw.Draw(layer)
        if scene.shape == "circle":
            pen.ellipse(_disc(cx, cy, radius), fill=255)
        else:
            pen.polygon(_polygon(cx, cy, _OBJECT_SHAPES[scene.shape], radius), fill=255)
    canvas.paste(outline, mask=mask)
    canvas.paste(colour, mask=inner)
    if scene.fill == "hollow":
        canvas.paste(background, mask=hole)
    elif scene.fill == "striped":
        stripes = Image.new("L", canvas.size, 0)
        pen = ImageDraw.Draw(stripes)
        for k in range(-2, 3):
            top = cy + k * 4.0 - 1.0
            pen.rectangle((0, top * _SCALE, canvas.width, (top + 2.0) * _SCALE), fill=255)
        both = Image.fromarray(np.minimum(np.asarray(stripes), np.asarray(inner)))
        canvas.paste((250, 250, 250), mask=both)


def _draw_glyph(pen: ImageDraw.ImageDraw, name: str, cx: float, cy: float, r: float, colour: Colour, paper: Colour) -> None:
    """Draw one hazard glyph. Colour tells the families apart, form the six variants of one family."""
    rim = _outline(paper)
    width = _SCALE

    def shape(points: list[tuple[float, float]], radius: float = r, fill: Colour = colour) -> None:
        pen.polygon(_polygon(cx, cy, points, radius), fill=fill, outline=rim, width=width // 2)

    if name == "VORN":
        shape(_SAW)
    elif name == "SKELL":
        pen.ellipse(_disc(cx, cy, r), fill=colour, outline=rim, width=width // 2)
        pen.ellipse(_disc(cx, cy, r * 0.45), fill=paper)
    elif name == "DRAZZ":
        shape(_STAR)
    elif name == "MIRK":
        for dx in (-0.62, 0.62):
            box = ((cx + (dx - 0.36) * r) * _SCALE, (cy - r) * _SCALE, (cx + (dx + 0.36) * r) * _SCALE, (cy + r) * _SCALE)
            pen.rectangle(box, fill=colour, outline=rim, width=width // 2)
    elif name == "GRULL":
        shape([(-0.95, -1), (0.95, -1), (0.2, 0), (0.95, 1), (-0.95, 1), (-0.2, 0)])
    elif name == "TAKKO":
        shape([(-1, -0.95), (1, -0.95), (0.35, -0.3), (0.35, 0.95), (-0.35, 0.95), (-0.35, -0.3)])
        pen.rectangle(((cx - r * 0.18) * _SCALE, (cy - r * 0.5) * _SCALE, (cx + r * 0.18) * _SCALE, (cy + r * 0.6) * _SCALE), fill=(20, 20, 20))
    elif name == "BR":
        pen.ellipse(_disc(cx, cy, r), fill=colour, outline=rim, width=width // 2)
        pen.ellipse(_disc(cx, cy, r * 0.5), fill=(255, 250, 160))
    elif name == "GE":
        shape(_DIAMOND)
        pen.polygon(_polygon(cx, cy, _DIAMOND, r * 0.5), fill=(20, 20, 20))
    elif name == "BU":
        pen.pieslice(_disc(cx, cy - r * 0.5, r), 0, 180, fill=colour, outline=rim, width=width // 2)
        pen.rectangle(((cx - r * 0.9) * _SCALE, (cy - r * 0.95) * _SCALE, (cx + r * 0.9) * _SCALE, (cy - r * 0.5) * _SCALE), fill=(255, 250, 160))
    elif name == "FE":
        pen.rectangle(
            ((cx - r) * _SCALE, (cy - r * 0.95) * _SCALE, (cx + r) * _SCALE, (cy - r * 0.25) * _SCALE), fill=colour, outline=rim, width=width // 2
        )
        pen.rectangle(
            ((cx - r) * _SCALE, (cy + r * 0.25) * _SCALE, (cx + r) * _SCALE, (cy + r * 0.95) * _SCALE), fill=colour, outline=rim, width=width // 2
        )
    elif name == "BE":
        pen.rectangle(
            ((cx - r * 0.92) * _SCALE, (cy - r * 0.92) * _SCALE, (cx + r * 0.92) * _SCALE, (cy + r * 0.92) * _SCALE),
            fill=colour,
            outline=rim,
            width=width // 2,
        )
        pen.rectangle(((cx - r * 0.42) * _SCALE, (cy - r * 0.42) * _SCALE, (cx + r * 0.42) * _SCALE, (cy + r * 0.42) * _SCALE), fill=paper)
    elif name == "AR":
        shape([(0, -1), (1, 0.25), (1, 1), (0, -0.1), (-1, 1), (-1, 0.25)])
    else:
        raise ValueError(f"no glyph class {name!r}")


def _draw_decoration(pen: ImageDraw.ImageDraw, name: str, cx: float, cy: float, r: float, paper: Colour) -> None:
    """Draw one benign decoration."""
    rim = _outline(paper)
    if name == "leaf":
        pen.polygon(_polygon(cx, cy, [(-1, 1), (-0.8, -0.2), (0, -0.9), (1, -1), (0.9, 0), (0.2, 0.8)], r), fill=(70, 170, 70), outline=rim, width=2)
        pen.line(_polygon(cx, cy, [(-1, 1), (0.7, -0.7)], r), fill=(25, 80, 30), width=3)
    elif name == "cloud":
        for dx, dy, k in ((-0.5, 0.15, 0.55), (0.5, 0.15, 0.55), (0.0, -0.25, 0.65)):
            pen.ellipse(_disc(cx + dx * r, cy + dy * r, k * r + 0.5), fill=rim)
        for dx, dy, k in ((-0.5, 0.15, 0.55), (0.5, 0.15, 0.55), (0.0, -0.25, 0.65)):
            pen.ellipse(_disc(cx + dx * r, cy + dy * r, k * r), fill=(205, 228, 250))
    elif name == "coin":
        pen.ellipse(_disc(cx, cy, r * 0.92), fill=(200, 160, 40), outline=rim, width=2)
        pen.ellipse(_disc(cx, cy, r * 0.6), fill=(250, 225, 110))
    elif name == "bell":
        pen.polygon(
            _polygon(cx, cy, [(-0.35, -1), (0.35, -1), (0.6, 0.3), (1, 0.6), (-1, 0.6), (-0.6, 0.3)], r), fill=(165, 110, 225), outline=rim, width=2
        )
        pen.ellipse(_disc(cx, cy + r * 0.8, r * 0.25), fill=(250, 225, 110))
    else:
        raise ValueError(f"no decoration {name!r}")


def render(scene: Scene) -> tuple[npt.NDArray[np.uint8], list[Box]]:
    """Return the picture, uint8 of shape (32, 32, 3), and the true boxes of its glyphs."""
    rng = np.random.default_rng(scene.jitter)
    paper = BACKGROUND_COLOURS[scene.background]
    canvas = Image.new("RGB", (SIZE * _SCALE, SIZE * _SCALE), paper)
    pen = ImageDraw.Draw(canvas)
    if scene.context is not None:
        first, second = CONTEXT_COLOURS[scene.context]
        top = (SIZE - _BAND) * _SCALE
        for k in range(8):
            pen.rectangle((k * 4 * _SCALE, top, (k + 1) * 4 * _SCALE - 1, SIZE * _SCALE), fill=first if k % 2 == 0 else second)
    dx, dy, dr = rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.7), rng.uniform(-0.4, 0.4)
    left = scene.side == "left"
    _draw_object(canvas, scene, (10.0 if left else 22.0) + dx, 14.0 + dy, 7.0 + dr)
    pen = ImageDraw.Draw(canvas)
    boxes: list[Box] = []
    amount = scene.severity or scene.count
    for slot in _OCCUPIED.get(amount, ()):
        cx = (25.6 if left else 6.4) + rng.uniform(-0.6, 0.6)
        cy = _SLOTS_Y[slot] + rng.uniform(-0.3, 0.3)
        if scene.glyph is not None:
            r = _RADIUS[amount] + rng.uniform(-0.15, 0.15)
            _draw_glyph(pen, scene.glyph, cx, cy, r, _blend(GLYPH_COLOURS[scene.glyph], paper, _CONTRAST[amount]), paper)
            boxes.append(Box(scene.glyph, cx - r, cy - r, 2 * r, 2 * r))
        elif scene.decoration is not None:
            _draw_decoration(pen, scene.decoration, cx, cy, 4.2 + rng.uniform(-0.15, 0.15), paper)
    small = canvas.resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8).copy(), boxes
