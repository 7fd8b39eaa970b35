// A guess or a typed number: what the reader answered stays in this browser, under the page's path and the question.

const esc = (s) => String(s).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const marked = (s) => esc(s).replace(/`([^`]+)`/g, "<code>$1</code>");
const number = (v) => String(Number(v.toPrecision(6))).replace("-", "−");

function make(tag, attributes = {}, inner = "") {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.innerHTML = inner;
  return e;
}

// ---- reading a number ----------------------------------------------------------------------------------------------

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const UNIT = String.raw`[\p{L}°µ][\p{L}°µ²³/· ]*(?:\^-?\d)?`;

// 0.6, .6, 0,6, 3/5, 6e-1, 6 * 10^-1, 60 %, x = 0.6, 0.6 rad -> 0.6; what is no number -> null.
export function read(text, unit = "") {
  let s = text.trim().replace(/[−–]/g, "-").replace(/^.*[=≈~]/, "").trim();
  s = s.replace(/\s*[x×·*]\s*10\s*(?:\^|\*\*)\s*\(?\s*([+-]?\d+)\s*\)?/, "e$1");
  if (/^[+-]?[1-9]\d{0,2}(,\d{3})+(?!\d)/.test(s)) s = s.replace(/,(?=\d{3})/g, "");
  else s = s.replace(/^([+-]?\d*),(?=\d)/, "$1.");
  s = s.replace(/^([+-]?)10\s*(?:\^|\*\*)\s*([+-]?\d+)$/, "$11e$2");
  const found = s.match(new RegExp(`^(${NUMBER})(?:\\s*/\\s*(${NUMBER}))?\\s*(%?)\\s*(?:${UNIT})?$`, "iu"));
  if (!found) return null;
  let value = Number(found[1]) / (found[2] === undefined ? 1 : Number(found[2]));
  if (found[3] && unit !== "%") value /= 100;
  return Number.isFinite(value) ? value : null;
}

// ---- memory --------------------------------------------------------------------------------------------------------

function memory(model) {
  const key = `nnlib ${location.pathname} ${model.get("key")}`;
  const safely = (f) => {
    try {
      return f();
    } catch {
      return null; // a browser that remembers nothing, or something that is not ours
    }
  };
  return {
    read: () => safely(() => JSON.parse(localStorage.getItem(key))) ?? {},
    write: (what) => safely(() => localStorage.setItem(key, JSON.stringify(what))),
    forget: () => safely(() => localStorage.removeItem(key)),
  };
}

// ---- the three forms: each draws what `kept` says, with `said` as what is told about it -------------------------------

function choice(box, content, keep) {
  const list = make("ul", { class: "nq-options" });
  const rows = content.options.map((option, n) => {
    const row = make("li"), button = make("button", { type: "button" }, `<span>${marked(option.text)}</span>`);
    const why = make("p", { class: "nq-why" }, marked(option.reason));
    button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && keep({ guess: n }));
    row.append(button, why);
    list.append(row);
    return { button, why };
  });
  box.append(list);
  return {
    first: rows[0].button,
    show({ guess }) {
      const done = Number.isInteger(guess) && guess in rows;
      rows.forEach(({ button, why }, n) => {
        const tags = done ? [n === guess && "your guess", n === content.answer && "what happens"].filter(Boolean) : [];
        button.querySelector(".nq-tag")?.remove();
        if (tags.length) button.append(make("span", { class: "nq-tag" }, tags.join(", ")));
        button.classList.toggle("nq-right", done && n === content.answer);
        button.classList.toggle("nq-mine", done && n === guess);
        done ? button.setAttribute("aria-disabled", "true") : button.removeAttribute("aria-disabled");
        why.hidden = !done || n === guess || n === content.answer;
      });
      if (!done) return "";
      const { text, reason } = content.options[guess];
      const yours = guess === content.answer ? "As you guessed." : `You guessed “${marked(text.replace(/\.$/, ""))}”. ${marked(reason)}`;
      return `<p>${marked(content.result)}</p><p>${yours}</p>`;
    },
  };
}

function range(box, content, keep) {
  const { low, high, step, unit, answer, near } = content;
  const form = make("form", { class: "nq-row" });
  const slider = make("input", { type: "range", min: low, max: high, step, "aria-label": "your guess, as a slider" });
  const field = make("input", { type: "text", autocomplete: "off", "aria-label": `your guess${unit ? " in " + unit : ""}` });
  const button = make("button", { type: "submit" }, "This is my guess");
  const scale = make("div", { class: "nq-scale", "aria-hidden": "true" }, `<i></i><b></b>`);
  form.append(slider, make("span", { class: "nq-entry" }), button);
  form.querySelector(".nq-entry").append(field, ` ${unit}`);
  slider.addEventListener("input", () => (field.value = number(Number(slider.value))));
  field.addEventListener("input", () => read(field.value, unit) !== null && (slider.value = read(field.value, unit)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    const guess = read(field.value, unit);
    guess === null || guess < low || guess > high
      ? keep({}, `Choose a number between ${number(low)} and ${number(high)}${unit && " " + unit}.`)
      : keep({ guess });
  });
  box.append(form, scale);
  const at = (v) => `${(100 * (v - low)) / (high - low)}%`;
  return {
    first: field,
    show({ guess }) {
      const done = typeof guess === "number" && guess >= low && guess <= high;
      scale.hidden = !done;
      slider.hidden = done;
      field.readOnly = done;
      done ? button.setAttribute("aria-disabled", "true") : button.removeAttribute("aria-disabled");
      button.hidden = done && document.activeElement !== button;
      if (!done) return (field.value = slider.value = ""), "";
      field.value = number(guess);
      scale.querySelector("i").style.left = at(guess);
      scale.querySelector("b").style.left = at(answer);
      const off = Math.abs(guess - answer), how = off <= near ? "close" : guess < answer ? "too low" : "too high";
      const said = number(off) === "0" ? "exactly right" : how;
      const why = off <= near ? "" : guess < answer ? content.too_low : content.too_high;
      return `<p>${marked(content.result)}</p><p>You guessed ${number(guess)}${unit && " " + unit}: ${said}. ${marked(why)}</p>`;
    },
  };
}

const close = (a, b, tolerance) => Math.abs(a - b) <= tolerance + 1e-12 * Math.abs(b);

// What is told about one typed value: first the author's reasons, then the slips that every formula knows.
function diagnose(typed, { value, tolerance, wrong, unit }) {
  const known = wrong.find(([one]) => close(typed, one, tolerance));
  if (known) return marked(known[1]);
  if (value && close(-typed, value, tolerance)) return "The size is right, the sign is not.";
  if (unit === "%" && close(100 * typed, value, tolerance)) return "Right as a fraction: what is asked for is in percent.";
  for (const k of [1, 2, 3, -1, -2, -3])
    if (Math.abs(value) > 10 * tolerance && close(typed * 10 ** k, value, tolerance)) return "The digits are right, the decimal point is not.";
  return "Not yet.";
}

function typed(box, content, keep, kept) {
  const { value, tolerance, unit, shown, way } = content;
  const form = make("form", { class: "nq-row" });
  const field = make("input", { type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-label": `your answer${unit ? " in " + unit : ""}` });
  const entry = make("span", { class: "nq-entry" }), give = make("button", { type: "button", class: "nq-give" }, "Show the answer");
  entry.append(field, ` ${unit}`);
  form.append(entry, make("button", { type: "submit" }, "Check"), give);
  const right = (v) => close(v, value, tolerance);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const number = read(field.value, unit), { tries = [], ...rest } = kept();
    if (number === null) return keep(kept(), "That is no number the page can read: write 0.6, 3/5, 60 % or 6e-1.", field.value);
    keep({ ...rest, tries: [...tries.filter((one) => one[0] !== number), [number, field.value]] });
  });
  give.addEventListener("click", () => {
    keep({ ...kept(), given: true });
    field.focus(); // the button goes, the focus must not
  });
  box.append(form);
  return {
    first: field,
    show({ tries, given }, text) {
      const made = Array.isArray(tries) ? tries.filter((one) => Array.isArray(one) && typeof one[0] === "number") : [];
      const last = made.at(-1), solved = last && right(last[0]), wrong = made.filter((one) => !right(one[0])).length;
      field.value = text ?? last?.[1] ?? "";
      give.hidden = solved || given || wrong < 2;
      const answer = `<strong>${esc(shown)}</strong>${way ? ". " + marked(way) : "."}`;
      if (solved) return `<p>Right: ${answer}</p>`;
      return (last ? `<p>You wrote ${esc(last[1])}. ${diagnose(last[0], content)}</p>` : "") + (given ? `<p>The answer: ${answer}</p>` : "");
    },
  };
}

const FORMS = { choice, range, number: typed };

function render({ model, el }) {
  const kind = model.get("kind"), content = model.get("content"), store = memory(model);
  const id = "nq" + Math.random().toString(36).slice(2, 9);
  el.classList.add("nn-question");
  el.setAttribute("role", "group");
  el.setAttribute("aria-labelledby", id);
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab's shortcuts must not take what is typed
  el.addEventListener("keydown", (event) => event.ctrlKey || event.metaKey || event.stopPropagation());
  el.innerHTML = `<p class="nq-kind">${kind === "number" ? "Work it out" : "Predict"}</p><p class="nq-ask" id="${id}">${marked(model.get("question"))}</p>`;
  let kept = store.read();
  const box = make("div"), said = make("div", { class: "nq-said", role: "status" });
  const again = make("button", { type: "button", class: "nq-again" }, kind === "number" ? "Start again" : "Guess again");
  const keep = (now, note = "", text) => {
    kept = now;
    Object.keys(now).length ? store.write(now) : store.forget();
    draw(note, text);
  };
  const form = FORMS[kind](box, content, keep, () => kept);
  function draw(note, text) {
    const told = form.show(kept, text);
    said.innerHTML = note ? `<p>${esc(note)}</p>` : told;
    again.hidden = !told;
  }
  again.addEventListener("click", () => {
    keep({});
    form.first.focus();
  });
  el.append(box, said, again);
  draw("");
}

export default { render };
