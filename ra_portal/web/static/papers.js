// Papers beside the fields, larger and turned where they stand. Without this script a page of a paper
// opens in a tab of its own.
"use strict";

const tools = document.querySelector(".paper-tools");
if (tools) {
  const sheets = [...document.querySelectorAll(".sheet-of-paper")];
  const STEPS = [1, 1.5, 2, 3, 4];
  let step = 0;
  let quarter = 0;

  const show = () => {
    for (const sheet of sheets) {
      const image = sheet.querySelector("img");
      const upright = quarter % 2 === 0;
      const ratio = image.naturalHeight / image.naturalWidth || 1;
      const width = sheet.clientWidth * STEPS[step];
      sheet.classList.toggle("held", step > 0 || quarter > 0);
      // Turned, the picture's height lies across: it takes the room that its width took.
      image.style.width = upright ? `${width}px` : `${width / ratio}px`;
      image.style.maxWidth = "none";
      image.style.height = upright ? "auto" : `${width}px`;
      const across = upright ? 0 : (width - width / ratio) / 2;
      const down = upright ? 0 : (width / ratio - width) / 2;
      image.style.margin = `${down}px ${across}px`;
      image.style.transform = quarter ? `rotate(${quarter * 90}deg)` : "";
      if (step === 0 && quarter === 0) image.removeAttribute("style");
    }
  };

  const acts = {
    larger: () => { step = Math.min(step + 1, STEPS.length - 1); },
    smaller: () => { step = Math.max(step - 1, 0); },
    turn: () => { quarter = (quarter + 1) % 4; },
    fit: () => { step = 0; quarter = 0; },
  };
  for (const button of tools.querySelectorAll("[data-paper-tool]")) {
    button.addEventListener("click", () => { acts[button.dataset.paperTool](); show(); });
  }
  // A later page comes when it is scrolled to; what it measures is known only then.
  for (const sheet of sheets) sheet.querySelector("img").addEventListener("load", show);
  tools.hidden = false;
}
