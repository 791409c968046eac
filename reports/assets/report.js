"use strict";
document.documentElement.classList.add("js");

/** Open a folded element and everything it stands in. */
function reveal(target) {
  for (let node = target; node; node = node.parentElement) {
    if (node.tagName === "DETAILS") node.open = true;
  }
  if (target) target.scrollIntoView();
}

function revealHash() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name) reveal(document.getElementById(name));
}

async function copy(button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
  } catch {
    button.textContent = "select and copy";
  }
  setTimeout(() => { button.textContent = before; }, 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const link = event.target.closest("a[href^='#']");
  if (button && button.dataset.copy !== undefined) {
    event.preventDefault();
    copy(button);
  }
  if (button && button.dataset.fold) {
    for (const fold of document.querySelectorAll("details.section")) fold.open = button.dataset.fold === "open";
  }
  if (link && link.hash === location.hash) revealHash();
});
window.addEventListener("hashchange", revealHash);
/* On paper nothing is folded; afterwards the page is as it was. */
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const fold of folded) fold.open = true;
});
window.addEventListener("afterprint", () => {
  for (const fold of folded) fold.open = false;
});
revealHash();
