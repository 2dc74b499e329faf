// Saves the application as it is typed, and a scan as it is chosen; of a correction what is typed
// alone. One save after another, since each answer names the version that the next one changes.
// Where somebody saved another version meanwhile nothing more is saved until the person has chosen.
// Without this script the form's own button does the same.
"use strict";

const PAUSE = 1200; // milliseconds after the last key

const form = document.querySelector("form[data-draft]");
if (form) {
  const saved = document.querySelector("#saved");
  const changed = document.querySelector("#changed");
  let timer = 0;
  let last = "";
  let waiting = 0;
  let before = Promise.resolve();

  const post = async (data) => {
    const answer = await fetch(form.dataset.draft, {
      method: "POST",
      body: data,
      headers: { Accept: "application/json" },
      credentials: "same-origin",
    });
    const isJson = answer.headers.get("Content-Type")?.includes("json");
    const said = isJson ? await answer.json() : {};
    if (answer.ok) form.elements.draft_version.value = said.version;
    if (said.code === "draft.changed") changed.hidden = false;
    return { ok: answer.ok, said };
  };

  /** After what is on its way; `data` is asked for then. */
  const send = (data) => {
    waiting += 1;
    const mine = before.then(() => post(data())).finally(() => (waiting -= 1));
    before = mine.catch(() => {});
    return mine;
  };

  form.addEventListener("submit", async (event) => {
    clearTimeout(timer); // the form carries everything itself
    if (waiting === 0) return;
    event.preventDefault();
    await before;
    form.requestSubmit(event.submitter);
  });

  const typed = () => {
    const data = new FormData(form);
    for (const input of form.querySelectorAll("input[type=file]")) data.delete(input.name);
    return data;
  };

  const tell = (ok, said) => {
    saved.textContent = ok ? said.saved : form.dataset.unsaved;
  };

  const save = async () => {
    const data = typed();
    data.delete("draft_version");
    const now = new URLSearchParams(data).toString();
    if (now === last || !changed.hidden) return;
    try {
      const { ok, said } = await send(typed);
      if (ok) last = now;
      tell(ok, said);
    } catch {
      tell(false, {});
    }
  };

  form.addEventListener("input", (event) => {
    if (event.target.type === "file") return;
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  });

  const mark = (input, text) => {
    const help = document.getElementById(`${input.name}-help`);
    input.toggleAttribute("aria-invalid", Boolean(text));
    if (text) input.setAttribute("aria-invalid", "true");
    if (help && text) {
      help.textContent = text;
      help.className = "error";
    } else if (help) {
      help.textContent = input.dataset.hint;
      help.className = "hint";
    }
  };

  const show = (name, paper) => {
    const place = document.querySelector(`[data-paper="${name}"]`);
    place.hidden = false;
    place.querySelector("img").src = paper.address;
    place.querySelector("a").href = paper.address;
    place.querySelector(".name").textContent = paper.file_name;
  };

  const scans = "typedAlone" in form.dataset ? [] : form.querySelectorAll("input[type=file]");
  for (const input of scans) {
    input.addEventListener("change", async () => {
      if (!input.files.length) return;
      clearTimeout(timer);
      const file = input.files[0];
      const withScan = () => {
        const data = typed();
        data.set(input.name, file);
        return data;
      };
      saved.textContent = form.dataset.sending;
      try {
        const { ok, said } = await send(withScan);
        mark(input, ok ? "" : said.errors?.[input.name] || form.dataset.unsaved);
        tell(ok, said);
        if (ok) {
          input.value = ""; // it is with the draft now
          input.required = false;
          show(input.name, said.papers[input.name]);
        }
      } catch {
        tell(false, {});
      }
    });
  }
}
