// Draws the report. Every text of the data becomes a text node or an attribute, never markup.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const text = (index) => data.texts[index];
  const id = (name) => document.getElementById(name);
  const put = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) {
      // The page's policy forbids style attributes, not styles that its script sets.
      if (name === "style") node.style.cssText = value;
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };
  const el = (name, attributes = {}, ...children) => put(document.createElement(name), attributes, children);
  const svg = (name, attributes = {}, ...children) =>
    put(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
  // A declaration that findings contradict is none to rely on, so it is counted and drawn apart.
  const STATUSES = ["not_used", "contradicted", "used", "undeclared", "unknown"];
  const MEANING = { not_used: "declares support", contradicted: "declares support, contradicted", used: "declares that it needs the GIL", undeclared: "declares nothing", unknown: "could not tell" };
  // The report's words are stable keys; their dashes are not CSS's business.
  const key = (status) => status.replaceAll("-", "_");
  const kind = (it) => (it.contradicted ? "contradicted" : key(it.status));
  const plural = (number, thing) => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;

  const modules = data.modules.map((it) => {
    const [status, outcome, action, mechanism, framework, platform] = it.s.map(text);
    const name = text(it.d[0]), version = text(it.d[1]);
    const distribution = name ? `${name} ${version}` : "";
    const artifact = text(it.o[0]), inside = text(it.o[1]);
    const file = inside ? `${artifact} » ${inside}` : artifact;
    const module = text(it.m);
    const group = distribution || "files of no distribution";
    // What the interpreter relies on, and whether it is true.
    const relied = it.c ? `${outcome}, contradicted` : outcome;
    return { module, distribution, group, status, outcome, relied, contradicted: it.c, action, mechanism, framework, platform, file, raw: it,
      haystack: `${module} ${distribution} ${file} ${framework}`.toLowerCase() };
  });
  const groups = new Map();
  const groupOf = (name) => {
    if (!groups.has(name)) groups.set(name, { name, modules: [], findings: [], counts: { not_used: 0, contradicted: 0, used: 0, undeclared: 0, unknown: 0 } });
    return groups.get(name);
  };
  const ofFile = new Map(), ofArtifact = new Map();
  for (const it of modules) {
    const group = groupOf(it.group);
    group.modules.push(it);
    group.counts[kind(it)] += 1;
    ofFile.set(it.raw.o.join(), group);
    ofArtifact.set(it.raw.o[0], group);
  }
  for (const it of data.findings) {
    const group = ofFile.get(it.o.join()) || (text(it.o[1]) ? ofArtifact.get(it.o[0]) : undefined) || groupOf(it.code ? "sources" : "other files");
    group.findings.push(it);
  }
  const bad = (group) => group.counts.contradicted + group.counts.used + group.counts.undeclared + group.counts.unknown;
  const news = (group) => group.findings.filter((it) => !text(it.x)).length;
  const order = [...groups.values()].sort((a, b) => bad(b) - bad(a) || news(b) - news(a) || (a.name < b.name ? -1 : 1));
  order.forEach((group, index) => { group.anchor = `d${index}`; });

  // Verdict
  id("verdict").classList.add(data.state);
  id("verdict-title").textContent = data.verdicts[0] || "Nothing to say";
  id("verdict-more").append(...data.verdicts.slice(1).map((it) => el("p", {}, it)),
    ...data.notes.map((it) => el("p", {}, it)), el("p", { class: "soft" }, data.summary), el("p", { class: "soft" }, data.asked));
  const total = (status) => modules.filter((it) => kind(it) === status).length;
  const shownStatuses = STATUSES.filter((it) => it !== "contradicted" || total(it));
  const count = (label, number, css) =>
    el("div", {}, el("dt", {}, label), el("dd", { class: number && css ? css : "" }, number.toLocaleString("en")));
  id("counts").append(count("modules", modules.length), count("packages", order.filter((it) => it.modules.length).length),
    ...shownStatuses.map((it) => count(MEANING[it], total(it), `t-${it}`)), count("not read", data.problems.filter((it) => it[3]).length, "t-used"));

  // Picture: one stacked bar for each package, those with something to do first
  id("legend").append(...shownStatuses.map((it) => el("li", {}, el("span", { class: `swatch c-${it}`, "aria-hidden": "true" }), `${MEANING[it]} (${total(it)})`)));
  const open = (group) => {
    while (!id(group.anchor)) moreDetails();
    const details = id(group.anchor);
    details.open = true;
    details.scrollIntoView();
    details.querySelector("summary").focus();
  };
  const link = (group, ...children) => {
    const node = el("a", { href: `#${group.anchor}` }, ...children);
    node.addEventListener("click", (event) => { event.preventDefault(); open(group); });
    return node;
  };
  const cut = (name, length) => (name.length > length ? `${name.slice(0, length - 1)}…` : name);
  function picture(limit) {
    const drawn = order.filter((it) => it.modules.length).slice(0, limit);
    const most = Math.max(1, ...drawn.map((it) => it.modules.length));
    const narrow = innerWidth < 640;
    const width = narrow ? 420 : 1000, left = narrow ? 150 : 240, row = 24, room = width - left - 60;
    const bars = drawn.map((group, index) => {
      let x = left;
      const parts = STATUSES.filter((it) => group.counts[it]).map((it) => {
        // A root makes a package of one module visible beside one of four hundred; the numbers say what is true.
        const whole = Math.max(8, room * Math.sqrt(group.modules.length / most));
        const share = whole * group.counts[it] / group.modules.length;
        const part = svg("rect", { x, y: index * row + 4, width: Math.max(1, share - 1), height: 15, rx: 2, class: `c-${it}` });
        x += share;
        return part;
      });
      const said = `${group.name}: ${STATUSES.filter((it) => group.counts[it]).map((it) => `${group.counts[it]} ${MEANING[it]}`).join(", ")}`;
      const node = svg("a", { href: `#${group.anchor}`, "aria-label": said }, svg("title", {}, said),
        svg("text", { x: left - 10, y: index * row + 16, "text-anchor": "end" }, cut(group.name, narrow ? 20 : 32)), ...parts,
        svg("text", { x: x + 8, y: index * row + 16, class: "number" }, String(group.modules.length)));
      node.addEventListener("click", (event) => { event.preventDefault(); open(group); });
      return node;
    });
    const all = order.filter((it) => it.modules.length).length;
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${Math.max(1, drawn.length) * row + 4}`, role: "group", "aria-label": "Packages and what their modules declare" }, ...bars);
    id("picture").replaceChildren(drawing, el("p", { class: "soft" }, "Bar lengths grow with the square root of the number of modules."));
    if (all > drawn.length) {
      const more = el("button", { type: "button" }, `Show all ${all} packages`);
      more.addEventListener("click", () => picture(all));
      id("picture").append(more);
    }
  }
  picture(25);

  // Blame: who imports whom until the GIL is on
  function chain(blocker) {
    // The first box is the place in the program where it begins.
    const [first] = blocker.chain;
    const steps = first ? [[first[1], "", ""], [first[0], "", first[2]], ...blocker.chain.slice(1)] : [[blocker.module, "", ""]];
    const width = 640, row = 62;
    const nodes = steps.flatMap(([module, at, why], index) => {
      const y = index * row + 4, last = index === steps.length - 1;
      const box = svg("g", {}, svg("rect", { x: 4, y, width: 400, height: 34, rx: 8, class: last ? "node bad" : "node" }),
        svg("text", { x: 18, y: y + 22 }, svg("title", {}, module), cut(module, 48)));
      const words = `${cut(at, 64)}${why ? ` (${why})` : ""}`.trim();
      const edge = index ? [svg("path", { class: "edge", d: `M 40 ${y - 26} V ${y - 6} m -5 -6 l 5 6 l 5 -6` }), svg("text", { x: 56, y: y - 9, class: "number" }, words)] : [];
      return [...edge, box];
    });
    const said = `${steps.map((it) => it[0]).join(" imports ")}`;
    return svg("svg", { viewBox: `0 0 ${width} ${steps.length * row}`, role: "img", "aria-label": said, style: `max-width:${width}px` }, ...nodes);
  }
  const blockers = data.blockers.map((it) => el("details", {},
    el("summary", {}, el("b", {}, it.module), el("span", { class: "soft" }, it.distribution), el("span", {}, it.certain ? "when imported" : "perhaps, or later")),
    el("div", { class: "inside" }, chain(it),
      ...(it.required_by.length ? [el("p", {}, `Here because of: ${it.required_by.join(", ")}`)] : []), ...it.ways.map((way) => el("p", {}, way)))));
  if (blockers[0]) blockers[0].open = true;
  const on = order.map((group) => [group, group.modules.filter((it) => it.outcome.replaceAll("-", "_") === "enables_gil").length]).filter((it) => it[1]);
  const asked = data.entries.length
    ? [el("p", { class: "soft" }, `Imports followed from ${data.entries.join(", ")}.`), ...(blockers.length ? blockers : [el("p", {}, "Nothing on the way turns the GIL on.")])]
    : [el("p", { class: "soft" }, "No imports were followed: --import NAME, --import-all or a script shows who imports whom."),
      on.length ? el("ul", {}, ...on.slice(0, 50).map(([group, number]) => el("li", {}, link(group, group.name), `: ${plural(number, "module")}`)))
        : el("p", {}, "No module here turns the GIL on by itself.")];
  id("blame-body").append(...asked, ...(on.length > 50 && !data.entries.length ? [el("p", {}, `and ${on.length - 50} more packages`)] : []));

  // Table: all rows are filtered and sorted as data, a page of them is drawn
  const COLUMNS = [["module", "Module"], ["distribution", "Package"], ["status", "Declaration"], ["relied", "Outcome"], ["framework", "Framework"], ["platform", "Platform"]];
  const PAGE = 100;
  let sorted = { column: "module", down: false }, visible = modules, limit = PAGE;
  const cell = (it, column) => {
    if (column === "module") return el("td", {}, link(groups.get(it.group), it.module));
    if (column === "relied" && it.contradicted) return el("td", { class: "status t-contradicted" }, it.relied);
    if (column === "status") return el("td", { class: `status t-${kind(it)}` }, it.contradicted ? `${it.status} (contradicted)` : it.status);
    return el("td", {}, it[column]);
  };
  function draw() {
    id("rows").replaceChildren(...visible.slice(0, limit).map((it) => el("tr", {}, ...COLUMNS.map(([column]) => cell(it, column)))));
    const drawn = Math.min(limit, visible.length);
    id("shown").textContent = `${plural(visible.length, "module")} of ${modules.length.toLocaleString("en")}${drawn < visible.length ? `, the first ${drawn} shown` : ""}`;
    id("more").hidden = drawn === visible.length;
  }
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  function filter() {
    const words = id("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = id("status").value, outcome = id("outcome").value;
    visible = modules.filter((it) => (!status || it.status === status) && (!outcome || it.outcome === outcome) && words.every((word) => it.haystack.includes(word)));
    const sign = sorted.down ? -1 : 1;
    visible.sort((a, b) => sign * compare(a[sorted.column], b[sorted.column]));
    limit = PAGE;
    draw();
  }
  const heads = COLUMNS.map(([column, label]) => {
    const button = el("button", { type: "button" }, label);
    const head = el("th", { scope: "col", "aria-sort": column === "module" ? "ascending" : "none" }, button);
    button.addEventListener("click", () => {
      sorted = { column, down: sorted.column === column && !sorted.down };
      heads.forEach((it) => it.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      filter();
    });
    return head;
  });
  id("head").append(...heads);
  for (const column of ["status", "outcome"]) {
    const values = [...new Set(modules.map((it) => it[column]))].sort();
    id(column).append(...values.map((it) => el("option", { value: it }, it)));
    id(column).addEventListener("change", filter);
  }
  id("filter").addEventListener("input", filter);
  id("filters").addEventListener("submit", (event) => event.preventDefault());
  id("more").addEventListener("click", () => { limit += 5 * PAGE; draw(); });
  filter();

  // Details: a package's inside is made when it is opened
  const WORDS = /(\/\*.*?\*\/|\/\/.*|"(?:\\.|[^"\\])*"|\b(?:static|const|return|if|else|for|while|do|switch|case|break|continue|struct|union|enum|typedef|void|int|long|char|double|float|unsigned|sizeof|NULL|def|cdef|cpdef|class|import|from|with|nogil|fn|let|mut|unsafe|impl|pub|use|match|None|True|False)\b)/g;
  const coloured = (line) => line.split(WORDS).filter(Boolean).map((part) => {
    const css = /^(\/\*|\/\/)/.test(part) ? "c" : part.startsWith('"') ? "s" : part.match(WORDS) ? "k" : "";
    return css ? el("span", { class: css }, part) : part;
  });
  function code([first, lines, [line, column, endLine, endColumn]]) {
    return el("pre", { tabindex: "0", "aria-label": `source, from line ${first}` }, ...lines.flatMap((content, index) => {
      const number = first + index, letters = [...content];
      const from = number === line ? column - 1 : 0, to = number === endLine ? endColumn - 1 : letters.length;
      const part = (a, b) => letters.slice(a, b).join("");
      const marked = number >= line && number <= endLine
        ? [...coloured(part(0, from)), el("mark", {}, ...coloured(part(from, to))), ...coloured(part(Math.max(from, to)))]
        : coloured(content);
      return [el("span", { class: "no" }, String(number)), ...marked, "\n"];
    }));
  }
  const finding = (it) => {
    const [rule, severity, confidence, message, help] = it.t.map(text);
    const file = it.o.map(text).filter(Boolean).join(" » ");
    return el("article", { class: `finding ${severity}` },
      el("p", {}, el("b", { class: `t-${severity}` }, severity), " ", el("code", {}, rule), ` ${message}`),
      el("p", { class: "soft" }, [file, text(it.at), `${confidence} confidence`, text(it.x)].filter(Boolean).join(" · ")),
      ...(it.code ? [code(it.code)] : []), ...it.r.map(([what, at]) => el("p", { class: "soft" }, `${text(at)}: ${text(what)}`)),
      ...(help ? [el("p", {}, el("b", {}, "What to do: "), help)] : []));
  };
  const evidence = (it) => el("div", {},
    el("h3", {}, it.module, " ", el("span", { class: `status t-${kind(it)}` }, it.contradicted ? `${it.status} (contradicted)` : it.status), el("span", { class: "soft" }, ` → ${it.outcome}, ${it.action}`)),
    el("p", { class: "soft" }, it.file),
    el("ul", { class: "evidence" }, ...it.raw.e.map(([what, at]) => el("li", {}, el("code", {}, text(what)), ` at ${text(at)}`)),
      ...it.raw.n.map((note) => el("li", {}, text(note))), ...it.raw.b.map((why) => el("li", { class: "soft" }, text(why)))));
  // A long list is drawn in parts, so that opening it never makes anybody wait.
  function chunked(items, make, thing) {
    const list = el("div"), more = el("button", { type: "button" });
    let at = 0;
    const next = () => {
      list.append(...items.slice(at, at + 50).map(make));
      at += 50;
      more.textContent = `Show more of ${plural(items.length, thing)}`;
      more.hidden = at >= items.length;
    };
    more.addEventListener("click", next);
    next();
    return [list, more];
  }
  function section(group) {
    const node = el("details", { id: group.anchor }, el("summary", {}, el("b", {}, group.name),
      ...STATUSES.filter((it) => group.counts[it]).map((it) => el("span", { class: `t-${it}` }, `${group.counts[it]} ${MEANING[it]}`)),
      ...(group.findings.length ? [el("span", { class: "soft" }, plural(group.findings.length, "finding"))] : [])));
    node.addEventListener("toggle", () => {
      if (!node.open || node.querySelector(".inside")) return;
      node.append(el("div", { class: "inside" }, ...chunked(group.findings, finding, "finding"), ...chunked(group.modules, evidence, "module")));
    });
    return node;
  }
  let made = 0;
  function moreDetails() {
    id("distributions").append(...order.slice(made, made + PAGE).map(section));
    made += PAGE;
    id("more-details").hidden = made >= order.length;
  }
  id("more-details").addEventListener("click", moreDetails);
  moreDetails();
  // Where there is one section alone, it is what the reader came for.
  if (order.length === 1) id(order[0].anchor).open = true;

  // Coverage
  const [files, withApi, bytes, unparsed] = data.sources;
  const unknown = modules.filter((it) => it.status === "unknown");
  const percent = (part, whole) => (whole ? ` (${(100 * part / whole).toFixed(1)} %)` : "");
  id("coverage-body").append(
    el("ul", {}, el("li", {}, `${plural(data.artifacts, "artifact")} given or found, ${plural(modules.length, "extension module")} in them.`),
      el("li", {}, `Of ${plural(modules.length, "module")}, ${unknown.length}${percent(unknown.length, modules.length)} could not be told.`),
      el("li", {}, `${plural(data.problems.length, "problem")}, of which ${data.problems.filter((it) => it[3]).length} left something unread.`),
      ...(files ? [el("li", {}, `${plural(files, "source file")}, ${withApi} of them with code that rules look at; of their ${bytes.toLocaleString("en")} bytes, ${unparsed.toLocaleString("en")}${percent(unparsed, bytes)} did not parse, and nothing is reported there.`)] : []),
      ...data.platforms.map(([platform, gil, by]) => el("li", {}, `${platform}: GIL ${gil}${by ? `, turned on by ${plural(by, "module")}` : ""}.`))),
    ...(unknown.length ? [el("h3", {}, "Could not be told"), ...chunked(unknown, (it) => el("p", {}, el("code", {}, it.module), ` ${it.raw.n.map(text).join("; ")}`), "module")] : []),
    ...(data.problems.length ? [el("h3", {}, "Problems"), ...chunked(data.problems, ([file, stage, error, unread, next]) =>
      el("article", { class: `finding ${unread ? "error" : ""}` }, el("p", {}, el("b", {}, unread ? "not read: " : "note: "), text(file)), el("p", {}, `${stage}: ${text(error)}`), el("p", { class: "soft" }, next)), "problem")] : []));
  id("footer").textContent = `gilaudit ${data.version}. What this says was read from files; nothing was imported or run.`;

  // Theme: what the system says, until somebody says otherwise
  const root = document.documentElement, theme = id("theme");
  const say = (dark) => theme.setAttribute("aria-pressed", String(dark));
  say(matchMedia("(prefers-color-scheme: dark)").matches);
  theme.addEventListener("click", () => {
    const dark = theme.getAttribute("aria-pressed") !== "true";
    root.dataset.theme = dark ? "dark" : "light";
    say(dark);
  });
})();
