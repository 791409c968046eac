/* Search the rows: texts come from the data, so they are put in as text nodes alone. */
{
  const data = document.getElementById("rows-data");
  const AT_ONCE = 20; // cards rendered at a time: a screenful or two, quick on a phone

  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const read = () => JSON.parse(data.textContent).map(
    ([id, source, task, template, kept, dropped, flagged, prompt, response, cut, masked]) => ({
      id, source, task, template, kept, dropped, flagged, prompt, response, cut, masked,
      rules: [...dropped, ...flagged],
      haystack: [prompt, response, template ?? "", id].join("\n").toLowerCase(),
    }));

  /** Fill a menu with values and how many rows have each, the commonest first. */
  const fill = (select, rows, valuesOf) => {
    const counts = new Map();
    for (const row of rows) for (const value of valuesOf(row)) counts.set(value, (counts.get(value) ?? 0) + 1);
    const ordered = [...counts].sort((one, other) => other[1] - one[1] || (String(one[0]) < String(other[0]) ? -1 : 1));
    for (const [value, count] of ordered) {
      const option = element("option", "", `${value ?? "not given"} (${count.toLocaleString("en")})`);
      option.value = JSON.stringify(value);
      select.append(option);
    }
  };

  /** Put a text into an element, the words that were searched for marked. */
  const marked = (into, text, words) => {
    const pattern = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
    const pieces = pattern ? text.split(new RegExp(`(${pattern})`, "gi")) : [text];
    pieces.forEach((piece, place) => into.append(place % 2 ? element("mark", "", piece) : piece));
  };

  const block = (label, text, cut, words) => {
    const made = element("div", "text");
    const box = element("pre");
    box.tabIndex = 0;
    box.dir = "auto";
    if (text) marked(box, text, words);
    else box.append(element("span", "cut", "empty"));
    if (cut) box.append(element("span", "cut", ` … ${cut.toLocaleString("en")} characters more`));
    made.append(element("span", "label", label), box);
    return made;
  };

  const verdicts = (said, rules) => rules.length ? [element("span", "", `${said} by ${rules.join(", ")}. `)] : [];

  const card = (row, words) => {
    const made = element("article", "example");
    const header = element("header");
    header.append(element("span", row.kept ? "fate kept" : "fate lost", row.kept ? "kept" : "dropped"));
    header.append(element("span", "from", [row.source, row.task, row.template].filter(Boolean).join(" · ")));
    const footer = element("footer");
    const id = element("span", "id");
    const button = element("button", "copy", "copy explain");
    button.type = "button";
    button.dataset.copy = `${data.dataset.explain} ${row.id}`;
    button.setAttribute("aria-label", `Copy the command that explains row ${row.id.slice(0, 8)}`);
    id.append(element("code", "", row.id), button);
    footer.append(id, ...verdicts("dropped", row.dropped), ...verdicts("flagged", row.flagged));
    if (row.masked) footer.append(`${row.masked} personal detail${row.masked > 1 ? "s" : ""} masked.`);
    made.append(header, block("prompt", row.prompt, 0, words), block("response", row.response, row.cut, words), footer);
    return made;
  };

  const start = () => {
    const rows = read();
    const form = document.getElementById("rows-filter");
    const list = document.getElementById("rows-list");
    const more = document.getElementById("rows-more");
    const found = document.getElementById("rows-found");
    const menus = {
      source: (row) => [row.source],
      task: (row) => [row.task],
      verdict: (row) => [row.kept ? "kept" : "dropped", ...(row.flagged.length ? ["flagged"] : [])],
      rule: (row) => row.rules,
    };
    let matching = rows;
    let words = [];
    for (const [name, valuesOf] of Object.entries(menus)) fill(form.elements[name], rows, valuesOf);

    const show = () => {
      const from = list.childElementCount;
      list.append(...matching.slice(from, from + AT_ONCE).map((row) => card(row, words)));
      const seen = list.childElementCount;
      const count = matching.length.toLocaleString("en");
      const whole = Number(data.dataset.of).toLocaleString("en");
      const one = matching.length === 1;
      found.textContent = matching.length
        ? `${count} of the ${rows.length.toLocaleString("en")} rows on this page ${one ? "matches" : "match"}${seen < matching.length ? `, ${seen} shown` : ""}.`
        : `None of the rows on this page matches. All ${whole} rows of the run are in rows.parquet.`;
      more.hidden = seen >= matching.length;
    };
    const search = () => {
      words = form.elements.text.value.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = Object.entries(menus).filter(([name]) => form.elements[name].value);
      matching = rows.filter((row) =>
        words.every((word) => row.haystack.includes(word)) &&
        chosen.every(([name, valuesOf]) => valuesOf(row).includes(JSON.parse(form.elements[name].value))));
      list.replaceChildren();
      show();
    };
    form.addEventListener("input", search);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(search)); // after the fields are empty
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") form.reset();
    });
    more.addEventListener("click", () => {
      const first = list.childElementCount;
      show();
      list.children[first]?.querySelector("pre").focus(); // the reader goes on where the new rows begin
    });
    search();
  };

  const section = document.getElementById("rows");
  const once = () => {
    if (!section.open) return;
    section.removeEventListener("toggle", once);
    start();
  };
  if (data) {
    section.addEventListener("toggle", once);
    once();
  }
}
