"""Layers for maps: neighbours stay neighbours when simplified, and shapes and numbers survive their encoding."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.layers import Integers, Shapes, cells_of_points, decode_integers, encode_integers, encode_polygons, simplify_coverage


def decode_polygons(data: bytes, origin: tuple[float, float], step: float) -> Shapes:
    """Reads the encoding as its description says, number by number."""
    numbers = iter(decode_integers(data).tolist())
    shapes = []
    for parts in numbers:
        polygons = []
        for _ in range(parts):
            rings = []
            for _ in range(next(numbers)):
                steps = [(next(numbers), next(numbers)) for _ in range(next(numbers))]
                rings.append(np.cumsum(steps, axis=0) * step + origin)
            polygons.append(shapely.Polygon(rings[0], rings[1:]))
        shapes.append(shapely.MultiPolygon(polygons))
    return np.array(shapes, dtype=np.object_)


def wavy_coverage() -> Shapes:
    """A square cut by two waving lines."""
    along = np.linspace(0, 1000, 201)
    wave = 500 + 40 * np.sin(along / 30)
    upright, level = shapely.LineString(np.column_stack([wave, along])), shapely.LineString(np.column_stack([along, wave]))
    edges = shapely.union_all([upright, level, shapely.box(0, 0, 1000, 1000).exterior])
    return np.asarray(shapely.get_parts(shapely.polygonize(shapely.get_parts(edges))), dtype=np.object_)


@given(st.lists(st.integers(-(2**61), 2**61)))
def test_integers_survive(values: list[int]) -> None:
    assert decode_integers(encode_integers(values)).tolist() == values


def test_small_numbers_take_one_byte() -> None:
    assert len(encode_integers(np.arange(-64, 64))) == 128


def test_cut_data_are_noticed() -> None:
    with pytest.raises(ValueError, match="middle of a number"):
        decode_integers(encode_integers([300])[:1])


def test_shapes_survive_to_the_grid() -> None:
    holed = shapely.Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [[(2, 2), (4, 2), (4, 4), (2, 4)]])
    shapes = np.array([holed, shapely.MultiPolygon([shapely.box(20, 0, 21, 1), shapely.box(30, 5, 33.37, 6)])], dtype=np.object_)
    again = decode_polygons(encode_polygons(shapes, (-5.0, -7.0), 0.01), (-5.0, -7.0), 0.01)
    assert shapely.area(shapely.symmetric_difference(again, shapes)) == pytest.approx([0, 0], abs=1e-9)


def test_detail_below_the_grid_goes_but_the_shape_stays() -> None:
    tiny = np.array([shapely.box(100.1, 100.1, 100.2, 100.2)], dtype=np.object_)
    numbers: Integers = decode_integers(encode_polygons(tiny, (0.0, 0.0), 1.0))
    assert numbers[:2].tolist() == [1, 1]


def test_lines_are_refused() -> None:
    with pytest.raises(ValueError, match="only polygons"):
        encode_polygons(np.array([shapely.LineString([(0, 0), (1, 1)])], dtype=np.object_), (0.0, 0.0), 1.0)


def test_simplified_neighbours_still_meet() -> None:
    shapes = wavy_coverage()
    simple = simplify_coverage(shapes, 60.0)
    assert shapely.get_num_coordinates(simple).sum() < shapely.get_num_coordinates(shapes).sum() / 4
    assert shapely.coverage_is_valid(simple)
    assert shapely.area(simple).sum() == pytest.approx(1e6)


def test_cells_hold_their_points_and_meet_half_way() -> None:
    points = shapely.points([(0.0, 0.0), (100.0, 0.0), (0.0, 100.0)])
    cells = cells_of_points(points, 80.0)
    assert shapely.contains(cells, points).all()
    assert shapely.area(shapely.intersection(cells[0], cells[1])) == pytest.approx(0)
    assert shapely.bounds(cells[0])[2] == pytest.approx(50)
    with pytest.raises(ValueError, match="coincide"):
        cells_of_points(points[[0, 0]], 80.0)
