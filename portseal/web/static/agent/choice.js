// @ts-check
/** Which USB key, when several are plugged in: a list that shows itself when it is needed. */

/**
 * @param {HTMLSelectElement} list
 * @param {{id: string, label: string}[]} entries
 */
export function offer(list, entries) {
  list.replaceChildren(
    ...entries.map(({ id, label }) => {
      const option = document.createElement("option");
      option.value = id;
      option.textContent = label;
      return option;
    }),
  );
  const around = /** @type {HTMLElement} */ (list.closest("[data-choice]"));
  around.hidden = false;
  list.focus();
}

/** @param {HTMLSelectElement} list @returns {string | undefined} */
export function chosen(list) {
  return list.value || undefined;
}
