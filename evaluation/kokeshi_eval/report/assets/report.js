"use strict";
(() => {
  /** Of the logger: warnings are for who writes a chart, not for who reads it. */
  const ERRORS = 1;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** Pixels below which a chart has no room beside its labels. */
  const NARROW = 420;

  /** A chart's specification, for a box of that width. */
  const read = (name, width) => {
    const fit = (key, value) => {
      if (key === "labelLimit") return Math.round(width * (width < NARROW ? 0.45 : 0.3));
      if (key === "columns" && width < NARROW) return 1;
      return value;
    };
    const spec = JSON.parse(document.getElementById(`spec-${name}`).textContent, fit);
    return { autosize: { type: "fit-x", contains: "padding" }, ...spec };
  };

  /** Colours and fonts of the page, for what a chart leaves open. */
  const theme = (width) => {
    const text = { labelColor: token("--muted"), titleColor: token("--muted"), labelFontSize: 12, titleFontSize: 12 };
    return {
      background: "transparent",
      font: token("--font"),
      view: { stroke: "transparent" },
      axisX: width < NARROW ? { titleAnchor: "end" } : {},
      axis: { ...text, titleFontWeight: "normal", gridColor: token("--line"), domainColor: token("--line"), tickColor: token("--line") },
      legend: text,
      text: { color: token("--text") },
    };
  };

  const draw = async (box) => {
    const width = box.clientWidth;
    const stage = document.createElement("div");
    stage.className = "stage";
    const image = box.querySelector("img");
    box.querySelector(".stage")?.remove();
    box.append(stage);
    image.hidden = true;
    try {
      // the expression interpreter, so that the page needs no right to evaluate text as code
      await window.vegaEmbed(stage, read(box.dataset.chart, width), {
        mode: "vega-lite", actions: false, ast: true, logLevel: ERRORS, config: theme(width), renderer: "svg",
        tooltip: { theme: dark.matches ? "dark" : "light" },
      });
      box.dataset.drawn = "true";
    } catch (error) {
      stage.remove();
      image.hidden = false;
      console.error(error);
    }
  };

  const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);

  /** A link into closed details opens them. */
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const inner = target.closest("section")?.querySelector("details.all");
    if (target.id === "queries" && inner) inner.open = true;
    if (target instanceof HTMLDetailsElement) target.open = true;
  };

  const offerCopies = () => document.querySelectorAll("button.copy").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  });

  drawAll();
  offerCopies();
  reveal();
  window.addEventListener("hashchange", reveal);
  dark.addEventListener("change", drawAll);
})();
