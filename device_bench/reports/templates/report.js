"use strict";
// A click on a column's title sorts by it, a second one the other way; without a figure is last.
const key = (row, index) => {
  const order = row.cells[index].dataset.order;
  return order === undefined ? null : Number(order);
};
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("th[data-sort]")];
  heads.forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((one, other) => {
        const [a, b] = [key(one, index), key(other, index)];
        return (a === null) - (b === null) || way * (a - b);
      });
      body.append(...rows);
    });
  });
}
