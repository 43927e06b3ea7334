// Draws the figures, fills the tables of trials, and keeps what the reader chose. Text goes in as text, never as HTML.
(() => {
  "use strict";
  const FAMILY = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
  const DARK_SCREEN = window.matchMedia("screen and (prefers-color-scheme: dark)");
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg" },
  };
  const ROWS = 25;
  const chosen = { hidden: new Set(), scales: {}, tables: {} }; // what the reader chose; it outlives a newer page
  let data = {};
  let dark = DARK_SCREEN.matches;

  // figures

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // the colours of light pages are those of print; each has another that can be told from a dark ground, as #rrggbb or #rrggbbaa
  const recoloured = (value) => {
    if (!dark) return value;
    if (typeof value === "string") return /^#[0-9A-F]{6,8}$/i.test(value) ? (data.dark[value.slice(0, 7)] || value.slice(0, 7)) + value.slice(7) : value;
    if (!value || typeof value !== "object" || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, ["x", "y", "text", "meta", "name"].includes(name) ? one : recoloured(one)]));
  };

  const axis = ({ tickvals, ticktext, ...given }) => ({
    gridcolor: colour("grid"), linecolor: colour("edge"), zerolinecolor: colour("grid"), ticks: "outside", tickcolor: colour("edge"),
    automargin: true, ...(given.type === given.prepared ? { tickvals, ticktext } : {}), ...given,
    title: { ...(given.title || {}), standoff: 8 },
  });

  const narrow = () => window.innerWidth < 640;

  const scaled = (id, letter, given) =>
    axis({ ...given, prepared: given.type, ...(chosen.scales[id + letter] ? { type: chosen.scales[id + letter] } : {}) });

  const layoutOf = (id, given) => ({
    height: 380, hovermode: "closest", uirevision: "kept", barmode: "group", ...given,
    shapes: given.shapes.map(recoloured),
    font: { family: FAMILY, size: 13, color: colour("ink") }, paper_bgcolor: colour("paper"), plot_bgcolor: colour("paper"),
    margin: { l: 56, r: 14, t: 24, b: 44 },
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
    hoverlabel: { align: "left", bgcolor: colour("paper"), bordercolor: colour("edge"), font: { family: FAMILY, size: 12, color: colour("ink") } },
    xaxis: scaled(id, "x", given.xaxis),
    yaxis: scaled(id, "y", given.yaxis),
  });

  const visible = (traces) => traces.map((trace) => ({ ...recoloured(trace), visible: !chosen.hidden.has(trace.meta) }));

  const draw = (id) => {
    const place = document.getElementById(id);
    if (!place || !data.figures[id]) return null;
    const { data: traces, layout } = data.figures[id];
    return Plotly.react(place, visible(traces), layoutOf(id, layout), { ...CONFIG, displayModeBar: narrow() ? false : "hover" });
  };

  const drawAll = () => Promise.all(Object.keys(data.figures).map(draw));

  const toggles = () => {
    for (const box of document.querySelectorAll("#toggles input")) {
      box.checked = !chosen.hidden.has(box.value);
      box.addEventListener("change", () => {
        chosen.hidden[box.checked ? "delete" : "add"](box.value);
        drawAll();
      });
    }
    for (const button of document.querySelectorAll("button[data-scale]")) {
      button.addEventListener("click", () => {
        const { scale: id, axis: letter } = button.dataset;
        const now = chosen.scales[id + letter] || data.figures[id].layout[`${letter}axis`].type;
        chosen.scales[id + letter] = now === "log" ? "linear" : "log";
        draw(id);
      });
    }
  };

  // tables of trials

  const shown = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value !== "number" || Number.isInteger(value)) return String(value);
    return String(Number(value.toPrecision(4)));
  };

  const order = (a, b) => { // numbers before words, nothing at the end
    if (a === b) return 0;
    if (a === null || a === undefined) return 2;
    if (b === null || b === undefined) return -2;
    if (typeof a === typeof b) return a < b ? -1 : 1;
    return typeof a === "number" ? -1 : 1;
  };

  const element = (tag, text, classes = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (classes) made.className = classes;
    return made;
  };

  class Trials {
    constructor(box) {
      this.box = box;
      this.table = data.tables[box.dataset.table];
      const measured = this.table.columns.indexOf(this.table.measured);
      this.state = chosen.tables[box.dataset.table] ||= { words: "", column: measured, down: this.table.down, page: 0 };
      this.texts = this.table.rows.map((row) => row.map(shown).join(" ").toLowerCase());
      this.numeric = this.table.columns.map((_, i) => this.table.rows.every((row) => row[i] === null || typeof row[i] === "number"));
      const search = box.querySelector("input");
      search.value = this.state.words;
      search.addEventListener("input", () => this.change({ words: search.value, page: 0 }));
      for (const button of box.querySelectorAll("button[data-step]")) {
        button.addEventListener("click", () => this.change({ page: this.state.page + Number(button.dataset.step) }));
      }
      this.head();
      this.change({});
    }

    head() {
      const row = document.createElement("tr");
      this.table.columns.forEach((name, i) => {
        const cell = element("th", "", this.numeric[i] ? "number" : "");
        const button = element("button", name);
        button.type = "button";
        button.addEventListener("click", () =>
          this.change({ column: i, down: this.state.column === i && !this.state.down, page: 0 }));
        cell.append(button);
        row.append(cell);
      });
      this.box.querySelector("thead").replaceChildren(row);
    }

    change(wanted) {
      Object.assign(this.state, wanted);
      const { words, column, down } = this.state;
      const asked = words.toLowerCase().split(/\s+/).filter(Boolean);
      let found = this.table.rows.map((_, i) => i).filter((i) => asked.every((word) => this.texts[i].includes(word)));
      if (column !== null) {
        found.sort((i, j) => {
          const one = order(this.table.rows[i][column], this.table.rows[j][column]);
          return Math.abs(one) === 2 ? one : down ? -one : one;
        });
      }
      const pages = Math.max(1, Math.ceil(found.length / ROWS));
      this.state.page = Math.min(Math.max(0, this.state.page), pages - 1);
      this.show(found, pages);
    }

    show(found, pages) {
      const { page, column, down } = this.state;
      this.box.querySelectorAll("th").forEach((cell, i) => {
        if (i === column) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        else cell.removeAttribute("aria-sort");
      });
      const rows = found.slice(page * ROWS, (page + 1) * ROWS).map((index) => {
        const row = document.createElement("tr");
        this.table.rows[index].forEach((value, i) => {
          const cell = element("td", shown(value), this.numeric[i] ? "number" : "");
          cell.title = cell.textContent.length > 24 ? cell.textContent : "";
          row.append(cell);
        });
        return row;
      });
      this.box.querySelector("tbody").replaceChildren(...rows);
      this.box.querySelector(".count").textContent = `${found.length} of ${this.table.rows.length} trials`;
      this.box.querySelector(".where").textContent = `page ${page + 1} of ${pages}`;
      this.box.querySelector("button[data-step='-1']").disabled = page === 0;
      this.box.querySelector("button[data-step='1']").disabled = page === pages - 1;
    }
  }

  // the whole

  const begin = () => {
    data = JSON.parse(document.getElementById("data").textContent);
    toggles();
    document.querySelectorAll(".trials").forEach((box) => new Trials(box));
    return drawAll();
  };

  // a newer page while the run goes on: its content takes the place of ours, the figures keep their zoom

  const renew = async () => {
    const text = await (await fetch("/")).text();
    const newer = new DOMParser().parseFromString(text, "text/html").querySelector("main");
    for (const place of newer.querySelectorAll(".plot")) {
      const drawn = document.getElementById(place.id);
      if (drawn) place.replaceWith(drawn);
    }
    const open = [...document.querySelectorAll("details[open] summary")].map((one) => one.textContent);
    document.querySelector("main").replaceWith(newer);
    for (const one of newer.querySelectorAll("summary")) one.parentElement.open = open.includes(one.textContent);
    await begin();
  };

  const watch = () => {
    const note = element("p", "live");
    note.id = "live";
    document.body.append(note);
    let last = document.body.dataset.live;
    const look = async () => {
      try {
        const state = await (await fetch("/state")).json();
        if (state.version !== last) {
          await renew();
          last = state.version;
        }
        note.textContent = state.ended ? "live: ended" : "live";
      } catch {
        note.textContent = "the server has ended; this is the last that it showed";
      }
      setTimeout(look, 2000);
    };
    setTimeout(look, 2000);
  };

  begin().then(() => {
    document.documentElement.dataset.ready = "yes";
    const redraw = (wanted) => { dark = wanted; return drawAll(); };
    DARK_SCREEN.addEventListener("change", () => redraw(DARK_SCREEN.matches));
    window.addEventListener("beforeprint", () => redraw(false));
    window.addEventListener("afterprint", () => redraw(DARK_SCREEN.matches));
    if (document.body.dataset.live !== undefined) watch();
  });
})();
