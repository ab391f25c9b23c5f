"""Dynamic focusing: the rate of Eq. 10, who counts as hard, the angle of Eq. 11, and augmentations that treat both pictures alike."""

from __future__ import annotations

import pytest
import torch

from training.augmentations import BANDS, POOL, frequency_compensation
from training.dfm import DFMSettings, LossQueues, probe_time, turn

ALL = torch.arange(3)


def visits(queues: LossQueues, *losses: list[float]) -> torch.Tensor:
    hard = torch.zeros(3, dtype=torch.bool)
    for each in losses:
        hard = queues.update(ALL, torch.tensor(each))
    return hard


def test_a_rate_is_the_average_descent_over_the_queue() -> None:
    queues = LossQueues(3, DFMSettings(queue=3))
    visits(queues, [0.7, 0.7, 0.7])
    assert queues.rates(ALL).isnan().all()
    visits(queues, [0.6, 0.7, 0.8])
    torch.testing.assert_close(queues.rates(ALL), torch.tensor([0.1, 0.0, -0.1]))
    visits(queues, [0.5, 0.7, 0.6], [0.2, 0.7, 0.6])
    # The queue holds three losses: .6 .5 .2, then .7 .7 .7, then .8 .6 .6.
    torch.testing.assert_close(queues.rates(ALL), torch.tensor([0.2, 0.0, 0.1]))


def test_hard_is_who_stays_slow_for_as_long_as_patience_asks() -> None:
    queues = LossQueues(3, DFMSettings(queue=2, patience=2, threshold=0.2))
    assert not visits(queues, [1.0, 1.0, 1.0], [0.9, 1.0, 0.9]).any()
    assert visits(queues, [0.8, 1.0, 0.8]).tolist() == [False, True, False]
    assert visits(queues, [0.7, 0.8, 0.7]).tolist() == [False, False, False]


def test_the_threshold_is_a_share_of_the_mean_rate() -> None:
    losses = [1.0, 1.0, 1.0], [0.0, 0.0, 0.85]  # rates 1, 1, .15: the mean is .717
    slow = [bool(visits(LossQueues(3, DFMSettings(queue=2, patience=1, threshold=share)), *losses)[2]) for share in (0.2, 0.3)]
    assert slow == [False, True]


def test_queues_come_back_from_a_checkpoint() -> None:
    queues, again = (LossQueues(3, DFMSettings(queue=2)) for _ in range(2))
    visits(queues, [1.0, 2.0, 3.0], [0.5, 2.0, 3.0])
    again.restore(queues.state())
    assert visits(queues, [0.1, 2.0, 3.0]).tolist() == visits(again, [0.1, 2.0, 3.0]).tolist()
    torch.testing.assert_close(queues.losses, again.losses)


def test_an_angle_is_one_less_the_cosine_over_all_parameters() -> None:
    a, b = [torch.tensor([1.0, 0.0]), torch.tensor([0.0])], [torch.tensor([0.0, 0.0]), torch.tensor([2.0])]
    assert turn(a, a) == pytest.approx(0.0) and turn(a, b) == pytest.approx(1.0)
    assert turn(a, [-each for each in a]) == pytest.approx(2.0)
    assert turn(a, [each * 7 for each in a]) == pytest.approx(0.0)


def test_probe_times_cover_the_schedule_evenly() -> None:
    times = torch.tensor([probe_time(pair, 1000) for pair in range(200)])
    counts = torch.histc(times.float(), bins=10, min=0, max=1000)
    assert counts.min() >= 18 and counts.max() <= 22


def test_the_papers_pool_has_four() -> None:
    assert len(POOL) == 4


@pytest.mark.parametrize("name", POOL)
def test_an_augmentation_changes_both_pictures_alike_and_repeats_itself(name: str) -> None:
    augmentation = POOL[name]
    one = torch.rand(1, 3 if augmentation.on_pixels else 4, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    pair = one.repeat(2, 1, 1, 1)
    first, again, other = (augmentation.apply(pair.clone(), torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert first.shape == pair.shape and torch.equal(first, again)
    assert torch.equal(first[0], first[1])
    if name == "frequency":  # two equal pictures have the pair's mean energy already
        torch.testing.assert_close(first, pair, rtol=0, atol=1e-5)
        pair = torch.cat([one, one * 0.5])
        first, other = (augmentation.apply(pair, torch.Generator().manual_seed(seed)) for seed in (5, 6))
    assert not torch.equal(first, pair) and not torch.equal(first, other)
    assert (first - pair).abs().mean() < 0.5


def test_frequency_compensation_brings_a_smooth_picture_nearer_to_its_partner() -> None:
    sharp = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(2))
    smooth = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)

    def high(latents: torch.Tensor) -> float:
        spectrum = torch.fft.fftshift(torch.fft.fft2(latents)).abs().square()
        return float(spectrum[..., :4, :].sum())

    after = frequency_compensation(torch.cat([sharp, smooth]), torch.Generator().manual_seed(3))
    assert high(smooth) < high(after[1:]) and high(after[:1]) < high(sharp)
    torch.testing.assert_close(after.mean(dim=(2, 3)), torch.cat([sharp, smooth]).mean(dim=(2, 3)), rtol=0, atol=1e-5)
    assert BANDS == 4
