"""The explorer's page, in Panel: the same object is served to a browser or shown in a notebook."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyrogen.explore import pictures, tables
from pyrogen.explore.view import View

SHOWN = 10  # sliders at first; the others, whose KL is smaller, are folded
STEPS = 9  # images of a traversal or an interpolation
WORDS = {"sizing_mode": "stretch_width"}


def explorer(pair: Any, data: Any = None, title: str = "", seed: int = 0) -> Any:
    """Return the page of a trained pair.

    Args:
        pair, data, seed: as for `View`.
        title: of the page; by default the pair's class and β.

    Returns:
        A Panel object: the last line of a notebook's cell shows it, ``.servable()`` serves it.

    Raises:
        ImportError: if Panel is missing: install the extra `explore`.
        TypeError, ValueError: as `View`.
    """
    return page_of(View(pair, data, seed=seed), title)


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
        self.quiet, self.built, self.restored = False, False, False
        named = [(int(latent), f"z{latent}  ({view.kl[latent]:.2f} nats)") for latent in view.order]
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
        self.pick = pn.widgets.IntInput(
            name="Image of the data", start=0, end=max(len(view) - 1, 0), value=0, width=160
        )
        self.original = pn.pane.HTML("", **WORDS)
        self.rebuilt = pn.pane.HTML("", **WORDS)
        for slider in self.sliders.values():
            slider.param.watch(self._moved, "value")
        self.pick.param.watch(self._picked, "value")

    def layout(self) -> Any:
        """Return the page: sliders and image side by side where there is room, tabs below."""
        pn = self.pn
        buttons = [self._button("Reset", self._reset)]
        if len(self.view):
            buttons.append(self._button("Random image", self._draw_data))
        if self.view.drawable:
            buttons.append(self._button("Draw from the prior", self._draw_prior))
        panes = [self._codes(), pn.Column(self.decoded, width_policy="max", min_width=220, max_width=320)]
        if len(self.view):
            panes.append(pn.Column(self.pick, self.original, self.rebuilt, min_width=160, max_width=220))
        page = pn.Column(
            pn.pane.Markdown(f"# {self.title}", **WORDS),
            pn.FlexBox(*buttons),
            pn.FlexBox(*panes, align_items="flex-start", gap="16px"),
            pn.Tabs(*self._tabs(), dynamic=True, **WORDS),
            **WORDS,
        )
        if len(self.view):
            self._picked()
        self._show()
        if pn.state.location is not None:  # it learns of the address only once the page is there
            pn.state.location.param.watch(self._restore, "search")
            self._restore()
        self.built = True
        return page

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
        self.place.param.watch(lambda _: self._set_quietly(self.token, int(self.tokens[self.place.value])), "value")
        self.token.param.watch(self._swapped, "value")
        return pn.Column(self.place, self.token, self.grid, min_width=260, max_width=420, **WORDS)

    def _tabs(self) -> list[tuple[str, Any]]:
        pn, tabs = self.pn, []
        if self.sliders:
            here = pn.widgets.Button(name="From the sliders as they are")
            tabs.append(("Traversals", pn.Column(here, pn.panel(pn.bind(self._traversals, here)))))
        if self.view.drawable:
            again = pn.widgets.Button(name="Draw others")
            tabs.append(("Prior samples", pn.Column(again, pn.panel(pn.bind(self._samples, again)))))
        if len(self.view) and self.sliders:
            self.other = pn.widgets.IntInput(
                name="to the image", start=0, end=len(self.view) - 1, value=min(1, len(self.view) - 1), width=160
            )
            drawn = pn.panel(pn.bind(self._between, self.pick, self.other))
            tabs.append(("Interpolation", pn.Column(self.other, drawn)))
        if self.view.factor_sizes and self.sliders:
            names = {name: place for place, name in enumerate(self.view.factor_names)}
            self.factor = pn.widgets.Select(name="Turn the true factor", options=names, width=200)
            turned = pn.panel(pn.bind(self._turned, self.pick, self.factor))
            tabs.append(("Turn a factor", pn.Column(self.factor, turned)))
        if self.view.factor_names and self.sliders:
            tabs.append(("Mutual information", self._information()))
        return tabs

    def _traversals(self, _: Any) -> Any:
        rows = []
        code = self._code()
        for latent in self.view.order[:SHOWN]:
            codes = np.repeat(code[None], STEPS, 0)
            codes[:, latent] = np.linspace(self.view.low[latent], self.view.high[latent], STEPS)
            label = f"z{latent}, {self.view.kl[latent]:.2f} nats"
            rows.append(f"<div>{label}</div>{pictures.strip(self.view.decode_all(codes), f'traversal of {label}')}")
        return self.pn.pane.HTML("".join(rows), **WORDS)

    def _samples(self, _: Any) -> Any:
        images = self.view.decode_all(self.view.sample(STEPS, int(self.rng.integers(2**31))))
        return self.pn.pane.HTML(pictures.strip(images, "samples of the prior, decoded"), **WORDS)

    def _between(self, start: int, end: int) -> Any:
        images = self.view.path(self.view.code(start), self.view.code(end), STEPS)
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
            cells = [f"<tr>{''.join(f'<td>{one}</td>' for one in row)}</tr>" for row in np.atleast_2d(self.tokens)]
            self.grid.object = f"<table aria-label='codes'>{''.join(cells)}</table>"
        else:
            image = self.view.decode(self._code())
        self.decoded.object = "<div>Decoded</div>" + pictures.picture(image, "the image decoded from the sliders", 320)
        self._remember()

    def _picked(self, *_: Any) -> None:
        index = int(self.pick.value)
        if self.view.tokens:
            self.tokens = self.view.token_indices(index)
            rebuilt = self.view.decode_tokens(self.tokens)
            self._set_quietly(self.token, int(self.tokens[self.place.value]))
            self._show()
        else:
            code = self.view.code(index)
            rebuilt = self.view.decode(code)
            self._set(code)
        self.original.object = "<div>Data</div>" + pictures.picture(self.view.image(index), f"image {index}", 160)
        self.rebuilt.object = "<div>Reconstruction</div>" + pictures.picture(rebuilt, f"image {index} rebuilt", 160)

    def _reset(self) -> None:
        if self.view.tokens:
            self.tokens[:] = 0
            self._set_quietly(self.token, 0)
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

    def _remember(self) -> None:
        """Put the state into the page's address, so that the link brings it back."""
        location = self.pn.state.location
        if location is None or not self.built:
            return
        self.restored = True
        if self.view.tokens:
            state: dict[str, Any] = {"codes": "-".join(str(one) for one in self.tokens.reshape(-1))}
        else:
            state = {"z": "_".join(f"{slider.value:.6g}" for slider in self.sliders.values())}
        location.update_query(**(state | {"image": str(self.pick.value)}))

    def _restore(self, *_: Any) -> None:
        """Take the state from the page's address, once; what does not fit is left aside."""
        query = dict(self.pn.state.location.query_params)
        if self.restored or not query:
            return
        self.restored = True
        image = str(query.get("image", ""))
        if image.isdigit() and int(image) < len(self.view) and len(image) < 12:
            self.pick.value = int(image)
        try:
            if self.view.tokens and "codes" in query:
                numbers = [int(one) for one in str(query["codes"]).split("-")]
                tokens = np.array(numbers).reshape(self.tokens.shape)
                if (tokens >= 0).all() and (tokens < self.view.tokens[1]).all():
                    self.tokens = tokens
            elif "z" in query:
                places = [float(one) for one in str(query["z"]).split("_")]
                if len(places) == len(self.sliders) and np.isfinite(places).all():
                    self.quiet = True
                    for slider, number in zip(self.sliders.values(), places, strict=True):
                        slider.value = float(np.clip(number, slider.start, slider.end))
                    self.quiet = False
        except ValueError:
            return
        self._show()
