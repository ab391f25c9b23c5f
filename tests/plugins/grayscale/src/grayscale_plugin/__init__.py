"""``grayscale``: the base's pictures without their colours."""

from bench.types import Generated, Kind, Method, MethodInfo


class Grayscale(Method):
    """Wraps another method, which it finds through the registry."""

    info = MethodInfo(
        name="grayscale",
        kind=Kind.FILTER,
        summary="Takes the colours out of the base's pictures.",
        code="tests/plugins/grayscale",
        defaults={"share": 1.0},
    )

    def load(self, context):
        from bench.registry import methods

        self.base = methods.get("sd-v1.5")()
        self.base.load(context)

    def generate(self, samples):
        share = self.parameters["share"]
        images = [outcome.image for outcome in self.base.generate(samples)]
        return [Generated((image * (1 - share) + image.mean(2, keepdims=True) * share).round().astype("uint8")) for image in images]
