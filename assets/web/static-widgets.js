// Run a page's saved widgets without a kernel: native, labelled controls, joined as jslink says, and anywidgets.
(() => {
  const H = (tag, props = {}, ...kids) => {
    const e = Object.assign(document.createElement(tag), props);
    e.append(...kids);
    return e;
  };
  const bytes = (s) => Uint8Array.from(atob(s), (c) => c.charCodeAt(0));
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let serial = 0;

  class Model {
    constructor({ model_name, state, buffers }) {
      this.name = model_name;
      this.data = { ...state };
      this.listeners = {};
      for (const b of buffers ?? []) {
        let o = this.data;
        for (const k of b.path.slice(0, -1)) o = o[k];
        o[b.path.at(-1)] = new DataView(bytes(b.data).buffer);
      }
    }
    get(k) { return this.data[k]; }
    set(k, v) {
      if (this.data[k] === v) return;
      this.data[k] = v;
      for (const f of [...(this.listeners["change:" + k] ?? [])]) f(this, v);
    }
    on(names, f) { for (const n of names.split(" ")) (this.listeners[n] ??= new Set()).add(f); }
    off(name, f) { f ? this.listeners[name]?.delete(f) : delete this.listeners[name]; }
    save_changes() {}
    send() {}
  }

  const field = (label, ...kids) => H("div", { className: "sw-field" }, label, ...kids);

  function range(m, { min, max, step, key, text }) {
    const id = "sw-" + ++serial, out = H("output", { className: "sw-value", htmlFor: id });
    const input = H("input", { type: "range", id, min, max, step, value: m.get(key) });
    const show = () => {
      input.value = m.get(key);
      out.textContent = text(m.get(key));
      input.setAttribute("aria-valuetext", out.textContent);
      input.style.setProperty("--at", (max > min ? (100 * (m.get(key) - min)) / (max - min) : 0) + "%");
    };
    input.addEventListener("input", () => m.set(key, Number(input.value)));
    m.on("change:" + key, show);
    show();
    return field(H("label", { htmlFor: id }, m.get("description") || "value"), H("span", { className: "sw-range" }, input, out));
  }
  const numeric = (m) => range(m, { min: m.get("min"), max: m.get("max"), step: m.get("step") ?? 1, key: "value", text: String });
  const box = (kind) => async (m, view) => H("div", { className: "sw-" + kind }, ...(await Promise.all(m.get("children").map(view))));

  const VIEWS = {
    BoxModel: box("hbox"),
    HBoxModel: box("hbox"),
    VBoxModel: box("vbox"),
    HTMLModel: (m) => H("div", { innerHTML: m.get("value") }),
    LabelModel: (m) => H("div", { textContent: m.get("value") }),
    IntSliderModel: numeric,
    FloatSliderModel: numeric,
    SelectionSliderModel: (m) =>
      range(m, { min: 0, max: m.get("_options_labels").length - 1, step: 1, key: "index", text: (i) => m.get("_options_labels")[i] }),
    DropdownModel(m) {
      const id = "sw-" + ++serial, select = H("select", { id }, ...m.get("_options_labels").map((t) => H("option", { textContent: t })));
      select.selectedIndex = m.get("index");
      select.addEventListener("change", () => m.set("index", select.selectedIndex));
      m.on("change:index", () => (select.selectedIndex = m.get("index")));
      return field(H("label", { htmlFor: id }, m.get("description") || "choice"), select);
    },
    ToggleButtonsModel(m) {
      const name = "sw-" + ++serial;
      const choices = m.get("_options_labels").map((t, i) => {
        const input = H("input", { type: "radio", name, checked: i === m.get("index") });
        input.addEventListener("change", () => m.set("index", i));
        m.on("change:index", (_, v) => (input.checked = v === i));
        return H("label", { className: "sw-option" }, input, H("span", {}, t));
      });
      return H("fieldset", { className: "sw-field sw-choice" }, H("legend", {}, m.get("description") || "choice"), H("span", { className: "sw-options" }, ...choices));
    },
    // Moves only when asked; where the reader wants less motion, one step at a time.
    PlayModel(m) {
      const about = m.get("description"), button = H("button", { type: "button", className: "sw-play" });
      let timer = 0;
      const name = () => {
        button.textContent = timer ? "Pause" : still.matches ? "Step" : "Play";
        if (about) button.setAttribute("aria-label", `${button.textContent}: ${about}`);
      };
      const step = () => m.set("value", m.get("value") >= m.get("max") ? m.get("min") : Math.min(m.get("max"), m.get("value") + m.get("step")));
      const stop = () => (clearInterval(timer), (timer = 0), name());
      button.addEventListener("click", () => {
        if (timer) return stop();
        step();
        if (still.matches) return;
        timer = setInterval(() => (m.get("value") >= m.get("max") ? stop() : step()), m.get("interval"));
        name();
      });
      still.addEventListener("change", stop);
      name();
      return button;
    },
    async StackModel(m, view) {
      const kids = await Promise.all(m.get("children").map(view));
      const show = () => kids.forEach((k, i) => (k.hidden = i !== m.get("selected_index")));
      m.on("change:selected_index", show);
      show();
      return H("div", {}, ...kids);
    },
    async AnyModel(m) {
      const el = H("div"), def = await load(m.get("_esm"));
      style(m.get("_css"));
      await def.initialize?.({ model: m });
      await def.render?.({ model: m, el });
      return el;
    },
  };

  const modules = new Map(), styles = new Set();
  function load(source) {
    if (!modules.has(source)) {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      modules.set(source, import(url).then((m) => (typeof m.default === "function" ? m.default() : m.default)));
    }
    return modules.get(source);
  }
  function style(css) {
    if (!css || styles.has(css)) return;
    styles.add(css);
    document.head.append(H("style", { textContent: css }));
  }

  const SILENT = /^(Layout|.*Style|Link|DirectionalLink)Model$/;

  function connect(models) {
    for (const m of Object.values(models)) {
      if (m.name !== "LinkModel" && m.name !== "DirectionalLinkModel") continue;
      const [[from, x], [to, y]] = [m.get("source"), m.get("target")], a = models[from], b = models[to];
      a.on("change:" + x, (_, v) => b.set(y, v));
      if (m.name === "LinkModel") b.on("change:" + y, (_, v) => a.set(x, v));
      b.set(y, a.get(x));
    }
  }

  // The state of a figure is part of the page's address: #fig-06-nudge?unit=o1&nudge=0
  function address(figures) {
    let due = 0;
    const write = ({ id, chart, controls }) => {
      const at = controls.map((c, k) => [c.name, c.values[chart.get("setting_" + k)]].map(encodeURIComponent).join("="));
      clearTimeout(due);
      due = setTimeout(() => history.replaceState(history.state, "", `#${id}?${at.join("&")}`), 250);
    };
    const read = () => {
      const [id, query] = location.hash.slice(1).split("?");
      const figure = query && figures.find((f) => f.id === id);
      if (!figure) return;
      const asked = new URLSearchParams(query);
      figure.controls.forEach((c, k) => {
        const text = asked.get(c.name);
        const index = c.values.findIndex((v) => text && (String(v) === text || (typeof v === "number" && v === Number(text))));
        if (index >= 0) figure.chart.set("setting_" + k, index);
      });
      const show = () => document.getElementById(figure.id).scrollIntoView({ behavior: "instant" });
      show();
      if (document.readyState !== "complete") addEventListener("load", show, { once: true });
    };
    for (const figure of figures) figure.controls.forEach((_, k) => figure.chart.on("change:setting_" + k, () => write(figure)));
    addEventListener("hashchange", read);
    read();
  }

  // A figure that cannot live says so on the page, in the console and as an error of the window.
  function fail(place, error) {
    place.before(H("p", { className: "sw-error", role: "alert" }, "This interactive figure could not be started: " + error.message));
    console.error("static-widgets.js:", error);
    setTimeout(() => { throw error; });
  }

  async function start() {
    const models = {}, places = document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]');
    try {
      for (const s of document.querySelectorAll('script[type="application/vnd.jupyter.widget-state+json"]')) {
        const { state } = JSON.parse(s.textContent);
        for (const [id, w] of Object.entries(state)) models["IPY_MODEL_" + id] = new Model(w);
        // The page keeps one copy of a text that several models share.
        for (const m of Object.values(models))
          for (const [k, v] of Object.entries(m.data)) if (v?.same_as) m.data[k] = state[v.same_as].state[k];
      }
      connect(models);
    } catch (error) {
      for (const s of places) fail(s, error);
      return;
    }
    const view = async (ref) => {
      const m = models[ref];
      if (!m) throw new Error("the page has no state for the widget " + ref);
      if (SILENT.test(m.name)) return "";
      if (!VIEWS[m.name]) throw new Error("static-widgets.js has no view for " + m.name);
      const el = await VIEWS[m.name](m, view);
      el.classList.add(...(m.get("_dom_classes") ?? []));
      return el;
    };
    const chart = (ref) => (models[ref]?.get("frames") ? models[ref] : models[ref]?.get("children")?.map(chart).find(Boolean));
    const figures = [];
    for (const s of places)
      try {
        const root = "IPY_MODEL_" + JSON.parse(s.textContent).model_id;
        const live = H("div", { className: "sw-widget" }, await view(root));
        s.before(live);
        for (let e = live.previousElementSibling; e; e = e.previousElementSibling) if (e.classList.contains("sw-still")) e.hidden = true;
        const id = s.closest("figure[id]")?.id, drawn = chart(root);
        if (id && drawn) figures.push({ id, chart: drawn, controls: drawn.get("controls") });
      } catch (error) {
        fail(s, error);
      }
    address(figures);
    document.documentElement.dataset.widgets = "ready";
  }
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", start) : start();
})();
