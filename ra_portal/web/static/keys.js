// Single keys for who does this all day: a control with data-key is pressed (a field is focused) by
// that key, J and K walk along the rows. Nothing happens while somebody types, with a modifier, or
// when the box under "Keyboard shortcuts" is not ticked (WCAG 2.1.4). What decides is only focused: Enter does it.
"use strict";

const help = document.querySelector("[data-keys]");
if (help) {
  const STORED = "portseal.keys";
  const box = help.querySelector("input");
  const list = help.querySelector("dl");
  const controls = new Map([...document.querySelectorAll("[data-key]")].map((each) => [each.dataset.key, each]));
  const links = [...document.querySelectorAll("[data-rows] tbody th a")];

  const tell = (key, words) => {
    const term = document.createElement("dt");
    const meaning = document.createElement("dd");
    const sign = document.createElement("kbd");
    sign.textContent = key;
    term.append(sign);
    meaning.textContent = words;
    list.append(term, meaning);
  };
  if (links.length) tell("j / k", list.dataset.rowsHelp);
  for (const [key, control] of controls) tell(key, control.matches("input") ? list.dataset.searchHelp : control.textContent.trim());
  help.hidden = !controls.size && !links.length;

  box.checked = localStorage.getItem(STORED) !== "off";
  box.addEventListener("change", () => localStorage.setItem(STORED, box.checked ? "on" : "off"));

  const walk = (step) => {
    const here = links.indexOf(document.activeElement);
    const next = here < 0 ? (step > 0 ? 0 : links.length - 1) : here + step;
    links[Math.min(Math.max(next, 0), links.length - 1)]?.focus();
  };

  document.addEventListener("keydown", (event) => {
    if (!box.checked || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]")) return;
    const key = event.key.toLowerCase();
    if (links.length && (key === "j" || key === "k")) {
      event.preventDefault();
      walk(key === "j" ? 1 : -1);
      return;
    }
    const control = controls.get(key);
    if (!control || control.closest("[hidden]")) return;
    event.preventDefault();
    if (control.matches("input, [name=decision]")) control.focus();
    else control.click();
  });
}
