// Filters above the scorecard: by section and by verdict. Without scripts, the table simply shows all claims.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("table.scorecard");
  if (!table) return;
  const headings = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows];
  const text = (row, column) => (row.cells[column].querySelector(".sd-badge") ?? row.cells[column]).textContent.trim();

  const bar = document.createElement("div");
  bar.className = "scorecard-filters";
  const shown = document.createElement("span");
  shown.setAttribute("role", "status");

  const filters = ["Section", "Verdict"].map((heading) => {
    const column = headings.indexOf(heading);
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.add(new Option("all", ""));
    for (const value of new Set(rows.map((row) => text(row, column)))) select.add(new Option(value, value));
    select.addEventListener("change", apply);
    label.append(`${heading} `, select);
    bar.append(label);
    return { column, select };
  });

  function apply() {
    for (const row of rows) {
      row.hidden = filters.some(({ column, select }) => select.value && text(row, column) !== select.value);
    }
    const visible = rows.filter((row) => !row.hidden).length;
    shown.textContent = `${visible} of ${rows.length} claims`;
  }

  bar.append(shown);
  table.before(bar);
  apply();
});
