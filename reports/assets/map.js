/** The map: colours by choice, and lists the rows of a rectangle, a colour or a cluster. */
(() => {
  const island = document.getElementById("map-data");
  if (!island) return;
  const LISTED = 50; // rows of a selection that are written out
  const REACH = 14; // a click takes the points this near, in units of the picture
  const data = JSON.parse(island.textContent);
  const view = document.getElementById("map-view");
  const picture = document.getElementById("map-picture");
  const brush = document.getElementById("map-brush");
  const list = document.getElementById("map-list");
  const clear = document.getElementById("map-clear");
  const mode = document.getElementById("map-mode");
  const points = [...document.querySelectorAll("#map-points use")];
  const places = points.map((point) => [Number(point.getAttribute("x")), Number(point.getAttribute("y"))]);
  let start = null;

  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function copier(text, label, title) {
    const button = element("button", "copy", label);
    button.type = "button";
    button.dataset.copy = text;
    button.setAttribute("aria-label", title);
    return button;
  }

  function colour() {
    const codes = data[mode.value];
    points.forEach((point, place) => {
      point.setAttribute("href", `#mark-${codes[place]}`);
      point.setAttribute("class", `k${codes[place]}${point.classList.contains("in") ? " in" : ""}`);
    });
    for (const legend of view.querySelectorAll(".map-legend")) legend.hidden = legend.dataset.mode !== mode.value;
  }

  function line(place) {
    const kept = data.kept[place] === 1;
    const item = element("li");
    item.append(element("span", `fate ${kept ? "kept" : "lost"}`, data.verdicts[data.verdict[place]].value));
    item.append(element("span", "from", data.sources[data.from[place]]));
    const peek = element("span", "peeked");
    peek.append(element("bdi", "", data.text[place]));
    item.append(peek, copier(view.dataset.command + data.id[place], "copy explain", "Copy the command that explains this row"));
    return item;
  }

  function choose(chosen, what) {
    points.forEach((point) => point.classList.remove("in"));
    chosen.forEach((place) => points[place].classList.add("in"));
    view.classList.toggle("chosen", chosen.length > 0);
    clear.hidden = what === null;
    list.replaceChildren();
    if (what === null) return;
    const kept = chosen.filter((place) => data.kept[place] === 1).length;
    const head = element("h5", "", `${what}: ${chosen.length.toLocaleString("en")} of ${points.length.toLocaleString("en")} rows, ${kept.toLocaleString("en")} kept`);
    list.append(head);
    if (!chosen.length) return;
    if (chosen.length > LISTED) head.append(element("small", "", `the first ${LISTED} are listed`));
    head.append(copier(chosen.map((place) => data.id[place]).join("\n"), "copy ids", "Copy the ids of these rows"));
    const rows = element("ol");
    rows.append(...chosen.slice(0, LISTED).map(line));
    list.append(rows);
  }

  function within(test) {
    return places.flatMap(([x, y], place) => (test(x, y) ? [place] : []));
  }

  /** Return where an event happened, in units of the picture, which may be letterboxed. */
  function at(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
    return [point.x, point.y];
  }

  function drawBrush(x0, y0, x1, y1) {
    for (const [name, value] of [["x", Math.min(x0, x1)], ["y", Math.min(y0, y1)], ["width", Math.abs(x1 - x0)], ["height", Math.abs(y1 - y0)]]) {
      brush.setAttribute(name, value.toFixed(1));
    }
    brush.removeAttribute("hidden");
  }

  function unbrush() {
    brush.setAttribute("hidden", "");
    start = null;
  }

  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = at(event);
    picture.setPointerCapture(event.pointerId);
  });
  picture.addEventListener("pointermove", (event) => {
    if (start) drawBrush(...start, ...at(event));
  });
  picture.addEventListener("pointercancel", unbrush);
  picture.addEventListener("pointerup", (event) => {
    if (!start) return;
    const [x0, y0] = start;
    const [x1, y1] = at(event);
    start = null;
    if (Math.hypot(x1 - x0, y1 - y0) < REACH / 2) {
      unbrush();
      const near = within((x, y) => Math.hypot(x - x1, y - y1) <= REACH);
      choose(near, near.length ? "Where you clicked" : null);
      return;
    }
    drawBrush(x0, y0, x1, y1);
    choose(within((x, y) => (x - x0) * (x - x1) <= 0 && (y - y0) * (y - y1) <= 0), "In the rectangle");
  });

  function reset() {
    unbrush();
    choose([], null);
  }

  view.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-list]");
    if (!button) return;
    unbrush();
    const codes = data[button.dataset.list];
    const code = Number(button.dataset.code);
    const label = button.querySelector("span");
    choose(points.flatMap((_, place) => (codes[place] === code ? [place] : [])), label ? label.textContent : `Cluster ${code + 1}`);
    list.scrollIntoView({ block: "nearest" });
  });
  view.addEventListener("keydown", (event) => {
    if (event.key === "Escape") reset();
  });
  clear.addEventListener("click", reset);
  mode.addEventListener("change", colour);
  colour(); // a page that is loaded again keeps the choice of its select
})();
