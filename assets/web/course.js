// What scrolls sideways can be reached with the keyboard, and says what it is.
(() => {
  // A page from the disk may not read other pages: search shows titles there, without excerpts.
  if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined")
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  const KINDS = [
    ["div.highlight pre", "Code, scrolls sideways"],
    ["div.output pre, div.cell_output pre", "Output, scrolls sideways"],
    [".table-scroll", "Table, scrolls sideways"],
    ["div.math", "Equation, scrolls sideways"],
  ];

  function mark() {
    // A formula is read with its sentence; MathJax makes each a stop of the Tab key. Those that scroll stay one.
    for (const formula of document.querySelectorAll("mjx-container[tabindex]")) {
      const { scrollWidth, clientWidth, scrollHeight, clientHeight } = formula;
      const scrolls = scrollWidth > clientWidth || scrollHeight > clientHeight;
      formula.tabIndex = formula.getAttribute("display") === "true" && scrolls ? 0 : -1;
    }
    for (const [selector, label] of KINDS)
      for (const element of document.querySelectorAll(selector)) {
        const scrolls = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
        if (scrolls && getComputedStyle(element).overflowX !== "visible") {
          element.tabIndex = 0;
          element.setAttribute("role", "group");
          element.setAttribute("aria-label", label);
        } else if (element.getAttribute("aria-label") === label) {
          for (const name of ["tabindex", "role", "aria-label"]) element.removeAttribute(name);
        }
      }
  }

  // A quiz answers when an option is clicked; all reasons stand in the folded box below, which needs no script.
  function answer(item) {
    const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
    const options = item.querySelector(".quiz-options"), reasons = item.querySelectorAll(".quiz-reasons > li");
    const said = make("div", { className: "quiz-said", role: "status" });
    [...options.children].forEach((option, n) => {
      const text = option.querySelector("p") ?? option, button = make("button", { type: "button" });
      const words = make("span", {}), mark = make("span", { className: "quiz-mark" });
      words.append(...text.childNodes);
      button.append(words, mark);
      text === option ? option.append(button) : text.replaceWith(button);
      button.addEventListener("click", () => {
        const right = reasons[n].classList.contains("quiz-right"), reason = reasons[n].cloneNode(true);
        for (const e of reason.querySelectorAll("[id]")) e.removeAttribute("id");
        button.classList.add(right ? "quiz-good" : "quiz-bad");
        mark.textContent = right ? "right" : "no";
        said.replaceChildren(...reason.childNodes);
      });
    });
    options.after(said);
  }

  function start() {
    for (const item of document.querySelectorAll(".quiz-item:has(.quiz-options)")) answer(item);
    for (const table of document.querySelectorAll("article table")) {
      if (table.closest(".table-scroll, .highlighttable")) continue;
      const box = document.createElement("div");
      box.className = "table-scroll";
      table.replaceWith(box);
      box.append(table);
    }
    // A browser that is told where its window stands in the page also prints open what is closed.
    const closed = [];
    addEventListener("beforeprint", () => {
      for (const details of document.querySelectorAll("article details:not([open])")) {
        details.open = true;
        closed.push(details);
      }
    });
    addEventListener("afterprint", () => closed.splice(0).forEach((details) => (details.open = false)));

    mark();
    let waiting = 0;
    const soon = () => {
      clearTimeout(waiting);
      waiting = setTimeout(mark, 60);
    };
    new ResizeObserver(soon).observe(document.documentElement);
    const article = document.querySelector("article");
    if (article) new MutationObserver(soon).observe(article, { childList: true, subtree: true });
  }

  document.readyState === "loading" ? addEventListener("DOMContentLoaded", start) : start();
})();
