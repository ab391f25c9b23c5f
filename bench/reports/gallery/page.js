"use strict";
// Filters and sorts what the page holds. Without this script the page is the same, in its first order.
{
  const form = document.querySelector("form");
  const list = document.querySelector("ol");
  const items = [...list.children].map((node, place) => ({ node, place, data: JSON.parse(node.dataset.sample) }));
  const said = form.querySelector("output");
  const differ = (sides) => new Set(sides.map((side) => side.verdict).filter((verdict) => verdict !== "no verdict")).size > 1;
  const show = () => {
    const { category, verdict, status, sort, order } = Object.fromEntries(new FormData(form));
    let count = 0;
    for (const { node, data } of items) {
      const here =
        (!category || data.categories.includes(category)) &&
        (!verdict || (verdict === "differ" ? differ(data.sides) : data.sides.some((side) => side.verdict === verdict))) &&
        (!status || data.sides.some((side) => side.status === status));
      node.hidden = !here;
      count += here ? 1 : 0;
    }
    const value = (item) => {
      if (!sort) return null;
      const cut = sort.indexOf(":");
      const found = item.data.sides[Number(sort.slice(0, cut))].scores[sort.slice(cut + 1)];
      return found === undefined ? null : Number(found);
    };
    const sign = order === "down" ? -1 : 1;
    const keyed = items.map((item) => ({ item, key: value(item) }));
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.item.place - b.item.place;
      return sign * (a.key - b.key) || a.item.place - b.item.place;
    });
    list.append(...keyed.map(({ item }) => item.node));
    said.textContent = `${count} of ${items.length} shown`;
  };
  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
}
