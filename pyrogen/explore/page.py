"""The explorer's page, in Panel: the same object is served to a browser or shown in a notebook."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyrogen.explore import pictures, tables
from pyrogen.explore.address import Address, whole
from pyrogen.explore.view import View

SHOWN = 10  # sliders at first; the others, whose KL is smaller, are folded
STEPS = 9  # images of a traversal or an interpolation
ROW = 16  # codes of a codebook that are drawn at a time
WORDS = {"sizing_mode": "stretch_width"}


def page_of(view: View, title: str = "") -> Any:
    """Return a page of a view; several pages may share one."""
    name = f"{type(view.pair).__name__}, β = {float(getattr(view.pair, 'beta', 1.0)):g}"
    return _Page(view, title or name).layout()


class _Page:
    """The widgets, what they show, and the link that keeps their state."""

    def __init__(self, view: View, title: str) -> None:
        import panel

        pn: Any = panel
        self.pn = pn
        self.view, self.title = view, title
        self.rng = np.random.default_rng(view.seed)
        self.quiet = False
        self.address: Address | None = None  # until the page is there
        named = [(int(latent), f"z{latent}  ({view.kl[latent]:.2f} {view.unit})") for latent in view.order]
        self.sliders = {
            latent: pn.widgets.FloatSlider(
                name=name,
                start=float(view.low[latent]),
                end=float(view.high[latent]),
                step=float(view.high[latent] - view.low[latent]) / 200,
                value=0.0 if view.low[latent] <= 0 <= view.high[latent] else float(view.low[latent]),
                **WORDS,
            )
            for latent, name in named
            if not view.tokens
        }
        self.decoded = pn.pane.HTML("", **WORDS)
        first, other = [*view.index[:2].tolist(), 0, 0][:2]
        self.pick = self._number("Image of the data", first)
        self.other = self._number("to the image", other)
        self.traversed = pn.pane.HTML("", **WORDS)
        self.original = pn.pane.HTML("", **WORDS)
        self.rebuilt = pn.pane.HTML("", **WORDS)
        for slider in self.sliders.values():
            slider.param.watch(self._moved, "value")
        self.pick.param.watch(self._picked, "value")

    def layout(self) -> Any:
        """Return the page: image, sliders and data side by side where there is room, tabs below."""
        pn = self.pn
        buttons = [self._button("Reset", self._reset)]
        if len(self.view):
            buttons.append(self._button("Random image", self._draw_data))
        if self.view.drawable:
            buttons.append(self._button("Draw from the prior", self._draw_prior))
        panes = [pn.Column(self.decoded, width_policy="max", min_width=220, max_width=320), self._codes()]
        if len(self.view):
            panes.append(pn.Column(self.pick, self.original, self.rebuilt, min_width=160, max_width=220))
        self.tabs = pn.Tabs(*self._tabs(), dynamic=True, **WORDS)
        title = pn.pane.Markdown(f"# {self.title}", **WORDS)
        beside = pn.FlexBox(*panes, align_items="flex-start", gap="16px")
        page = pn.Column(title, pn.FlexBox(*buttons), beside, self.tabs, **WORDS)
        if len(self.view):
            self._picked()
        else:
            self._reset()
        if pn.state.location is not None:
            self.address = Address(pn.state.location, self._kept())
        return page

    def _number(self, name: str, value: int) -> Any:
        """A field for the number of an image."""
        last = max(len(self.view) - 1, 0)
        return self.pn.widgets.IntInput(name=name, start=0, end=last, value=value, width=160)

    def _codes(self) -> Any:
        pn = self.pn
        if self.view.tokens:
            return self._token_widgets()
        sliders = list(self.sliders.values())
        first, rest = sliders[:SHOWN], sliders[SHOWN:]
        more = [pn.Card(*rest, title=f"{len(rest)} more latents", collapsed=True, **WORDS)] if rest else []
        return pn.Column(*first, *more, min_width=260, max_width=420, **WORDS)

    def _token_widgets(self) -> Any:
        """Of a pair with a codebook: a place of the grid, and the code that stands there."""
        pn = self.pn
        assert self.view.tokens is not None
        grid, codes = self.view.tokens
        self.tokens = np.zeros(grid, dtype=np.int64)
        places = [tuple(map(int, at)) for at in np.ndindex(*grid)]
        self.place = pn.widgets.Select(name="Place of the grid", options={str(at): at for at in places}, **WORDS)
        self.token = pn.widgets.IntSlider(name="Code that stands there", start=0, end=codes - 1, value=0, **WORDS)
        self.grid = pn.pane.HTML("", **WORDS)
        self.place.param.watch(lambda _: self._show(), "value")
        self.token.param.watch(self._swapped, "value")
        return pn.Column(self.place, self.token, self.grid, min_width=260, max_width=420, **WORDS)

    def _tabs(self) -> list[tuple[str, Any]]:
        pn = self.pn
        if self.view.tokens:
            tabs = [("Every code here", self.traversed)]
        else:
            tabs = [
                ("Traversals", pn.Column(self._button("From the sliders as they are", self._traverse), self.traversed))
            ]
        if self.view.drawable:
            again = pn.widgets.Button(name="Draw others")
            tabs.append(("Samples", pn.Column(again, pn.panel(pn.bind(self._samples, again)))))
        if len(self.view):
            drawn = pn.panel(pn.bind(self._between, self.pick, self.other))
            tabs.append(("Interpolation", pn.Column(self.other, drawn)))
        if self.view.factor_sizes and self.sliders:
            names = {name: place for place, name in enumerate(self.view.factor_names)}
            self.factor = pn.widgets.Select(name="Turn the true factor", options=names, width=200)
            turned = pn.panel(pn.bind(self._turned, self.pick, self.factor))
            tabs.append(("Factors", pn.Column(self.factor, turned)))
        if self.view.factor_names and self.sliders:
            tabs.append(("Information", self._information()))
        return tabs

    def _traverse(self) -> None:
        """Draw the traversals from the sliders as they are, or every code at the chosen place of a grid."""
        rows = []
        if self.view.tokens:
            first = int(self.token.value) // ROW * ROW
            images = self.view.swaps(self.tokens, self.place.value)[first : first + ROW]
            label = f"Codes {first} to {first + len(images) - 1} at the place {self.place.value}"
            rows.append(f"<div>{label}</div>{pictures.strip(images, label)}")
        for latent in () if self.view.tokens else self.view.order[:SHOWN]:
            codes = np.repeat(self._code()[None], STEPS, 0)
            codes[:, latent] = np.linspace(self.view.low[latent], self.view.high[latent], STEPS)
            label = f"z{latent}, {self.view.kl[latent]:.2f} {self.view.unit}"
            rows.append(f"<div>{label}</div>{pictures.strip(self.view.decode_all(codes), f'traversal of {label}')}")
        self.traversed.object = "".join(rows)

    def _samples(self, _: Any) -> Any:
        images = self.view.decode_all(self.view.sample(STEPS, int(self.rng.integers(2**31))))
        return self.pn.pane.HTML(pictures.strip(images, "samples of the prior, decoded"), **WORDS)

    def _between(self, start: int, end: int) -> Any:
        images = self.view.between(start, end, STEPS)
        alt = f"from image {start} to image {end} in {STEPS} steps"
        return self.pn.pane.HTML(pictures.strip(images, alt), **WORDS)

    def _turned(self, index: int, factor: int) -> Any:
        images, codes = self.view.turn(index, factor)
        answers = codes.std(0)
        order = np.argsort(-answers)[: min(5, len(answers))]
        some = np.linspace(0, len(images) - 1, min(STEPS, len(images))).round().astype(int)
        name = self.view.factor_names[factor]
        strip = pictures.strip(images[some], f"the image as {name} takes its values")
        return self.pn.pane.HTML(strip + tables.answers(answers, order), **WORDS)

    def _information(self) -> Any:
        table, names = self.view.information
        order = [latent for latent in self.view.order if table[latent].max() > 0.01][:SHOWN]
        html = tables.information(table, names, order)
        note = f"<p>Nats, by histograms of {len(self.view.codes):,} images.</p>"
        return self.pn.pane.HTML(html + note, **WORDS)

    def _button(self, name: str, run: Any) -> Any:
        button = self.pn.widgets.Button(name=name, button_type="primary")
        button.on_click(lambda _: run())
        return button

    def _code(self) -> Any:
        code = np.zeros(self.view.size)
        for latent, slider in self.sliders.items():
            code[latent] = slider.value
        return code

    def _set(self, code: Any) -> None:
        """Move all sliders, and draw once."""
        self.quiet = True
        for latent, slider in self.sliders.items():
            slider.value = float(np.clip(code[latent], slider.start, slider.end))
        self.quiet = False
        self._show()
        self._traverse()

    def _set_quietly(self, widget: Any, value: Any) -> None:
        self.quiet = True
        widget.value = value
        self.quiet = False

    def _moved(self, *_: Any) -> None:
        if not self.quiet:
            self._show()

    def _swapped(self, *_: Any) -> None:
        if not self.quiet:
            self.tokens[self.place.value] = self.token.value
            self._show()

    def _show(self) -> None:
        if self.view.tokens:
            image = self.view.decode_tokens(self.tokens)
            self._set_quietly(self.token, int(self.tokens[self.place.value]))
            self.grid.object = tables.grid(self.tokens, self.place.value)
            self._traverse()
        else:
            image = self.view.decode(self._code())
        self.decoded.object = "<div>Decoded</div>" + pictures.picture(
            image, "the image decoded from the sliders", 320, self.view.span
        )
        self._remember()

    def _picked(self, *_: Any) -> None:
        index = int(self.pick.value)
        if self.view.tokens:
            self.tokens = self.view.token_indices(index)
            rebuilt = self.view.decode_tokens(self.tokens)
            self._show()
        else:
            code = self.view.code(index)
            rebuilt = self.view.decode(code)
            self._set(code)
        self.original.object = "<div>Data</div>" + pictures.picture(
            self.view.image(index), f"image {index}", 160, self.view.span
        )
        self.rebuilt.object = "<div>Reconstruction</div>" + pictures.picture(
            rebuilt, f"image {index} rebuilt", 160, self.view.span
        )

    def _reset(self) -> None:
        if self.view.tokens:
            self.tokens[:] = 0
            self._show()
        else:
            self._set(np.zeros(self.view.size))

    def _draw_prior(self) -> None:
        seed = int(self.rng.integers(2**31))
        if self.view.tokens:
            import torch

            z = torch.as_tensor(self.view.sample(1, seed)).reshape(1, *self.view.pair.code_shape)
            self.tokens = self.view.pair.codebook.nearest(z.to(self.view.pair.beta.dtype))[0].numpy()
            self._show()
        else:
            self._set(self.view.sample(1, seed)[0])

    def _draw_data(self) -> None:
        self.pick.value = int(self.rng.integers(len(self.view)))

    def _remember(self, *_: Any) -> None:
        if self.address is not None:
            self.address.write()

    def _kept(self) -> dict[str, Any]:
        """What the address keeps: how each part is written, and how it is set from its text."""
        kept: dict[str, Any] = {}

        def keep(name: str, widget: Any, most: int, parameter: str = "value") -> None:
            kept[name] = (
                lambda: str(getattr(widget, parameter)),
                lambda text: setattr(widget, parameter, whole(text, most)),
            )
            widget.param.watch(self._remember, parameter)

        if len(self.view):
            keep("image", self.pick, len(self.view) - 1)
            keep("to", self.other, len(self.view) - 1)
        if self.view.tokens:
            kept["codes"] = (lambda: "-".join(map(str, self.tokens.reshape(-1).tolist())), self._set_tokens)
        else:
            kept["z"] = (lambda: "_".join(f"{one.value:.6g}" for one in self.sliders.values()), self._set_sliders)
        if hasattr(self, "factor"):
            keep("factor", self.factor, len(self.view.factor_names) - 1)
        keep("tab", self.tabs, len(self.tabs) - 1, "active")
        return kept

    def _set_tokens(self, text: str) -> None:
        assert self.view.tokens is not None
        most = self.view.tokens[1] - 1
        self.tokens = np.array([whole(one, most) for one in text.split("-")]).reshape(self.tokens.shape)
        self._show()

    def _set_sliders(self, text: str) -> None:
        values = [float(one) for one in text.split("_")]
        if len(values) != len(self.sliders) or not np.isfinite(values).all():
            raise ValueError("not a number for each slider")
        self._set(dict(zip(self.sliders, values, strict=True)))
