/** Answers to "was the rule right?": kept in memory, handed on as a command to copy. */
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-mark]");
  if (!button) return;
  const pressed = button.getAttribute("aria-pressed") !== "true";
  for (const other of button.parentElement.querySelectorAll("button[data-mark]")) {
    other.setAttribute("aria-pressed", String(other === button && pressed));
    other.dataset.given = "yes";
  }
  const rule = button.closest("details.rule");
  const line = rule.querySelector(".marked");
  const marks = [...rule.querySelectorAll("button[data-mark][data-given][aria-pressed='true']")].map(
    (one) => `--mark ${one.closest(".judge").dataset.row}=${one.dataset.mark}`);
  line.hidden = marks.length === 0;
  line.querySelector("span").textContent = `${marks.length} marked:`;
  line.querySelector("button.copy").dataset.copy = [line.dataset.command, ...marks].join(" ");
});
