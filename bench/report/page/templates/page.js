// A click or Enter on a column's head sorts by it, once more turns it round. Numbers are in data-sort;
// a cell without one comes last either way. Without this script the tables are as they are.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, heads, column));
  });
}

function sort(table, heads, column) {
  const down = heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const compare = (one, other) => {
    if (!key(one) || !key(other)) return !key(one) - !key(other);
    const [a, b] = [Number(key(one)), Number(key(other))];
    const order = isNaN(a) || isNaN(b) ? key(one).localeCompare(key(other), "en", { numeric: true }) : a - b;
    return down ? -order : order;
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}

// Rows of a table stay while they have every word that was typed above it.
for (const field of document.querySelectorAll("input[type=search]")) {
  const rows = [...document.getElementById(field.getAttribute("aria-controls")).querySelectorAll("tbody tr")];
  const left = document.getElementById(field.getAttribute("aria-describedby"));
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += !row.hidden;
    }
    left.textContent = `${count} of ${rows.length} rows`;
  });
}

// What a button copies is in the element it controls; without a clipboard it is selected there.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  button.addEventListener("click", async () => {
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "copied";
    } catch {
      source.closest("details").open = true;
      getSelection().selectAllChildren(source);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = said; }, 2000);
  });
}
