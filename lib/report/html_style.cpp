#include "report/html_style.h"

namespace qslaw {

// The palette's colors reach a contrast of 3.2 with their background, and the first four stay apart for
// protanopes and deuteranopes (Machado 2009, distances in OKLab); the rest also differ in lightness, and
// curves in dashes.
const char* const kReportStyle = R"css(
:root { color-scheme: light dark;
  --page: #f4f5f7; --surface: #ffffff; --text: #1b2027; --muted: #5b6573; --line: #dfe3e8; --soft: #eef1f4;
  --good: #0e7a5c; --bad: #b3261e; --accent: #2f6fd0;
  --c1: #2f6fd0; --c2: #c4560a; --c3: #16a07c; --c4: #8f1d63; --c5: #6f6500; --c6: #4c2a86; --c7: #e2506a; --c8: #78828f; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12151a; --surface: #1a1e25; --text: #e8ebef; --muted: #a3adba; --line: #2f3641; --soft: #232933;
  --good: #5ce6c0; --bad: #ff8f8f; --accent: #78aefc;
  --c1: #78aefc; --c2: #e8914f; --c3: #5ce6c0; --c4: #d0609a; --c5: #f5d565; --c6: #a06be0; --c7: #ff8f8f; --c8: #8b96a6; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 1240px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 36px; }
h1 { margin: 0; font-size: 30px; line-height: 1.2; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 0 0 12px; font-size: 21px; line-height: 1.3; letter-spacing: -0.005em; }
h4 { margin: 14px 0 6px; font-size: 14px; font-weight: 650; }
h3 + h4, h4:first-child { margin-top: 0; }
h3 { margin: 0 0 10px; font-size: 15px; line-height: 1.35; font-weight: 650; overflow-wrap: anywhere; }
p { margin: 0; }
a { color: var(--accent); }
.eyebrow { color: var(--muted); font-size: 13px; font-weight: 600; letter-spacing: 0.06em; text-transform: uppercase; }
.lead { color: var(--muted); max-width: 75ch; margin: -8px 0 14px; font-size: 15px; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; margin: 12px 0 0; padding: 0; list-style: none; }
.chips li { padding: 2px 10px; border: 1px solid var(--line); border-radius: 99px; background: var(--surface);
  font-size: 14px; overflow-wrap: anywhere; }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 18px 0 0; padding: 0; list-style: none; font-size: 14px; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { margin-top: 40px; scroll-margin-top: 12px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin-top: 22px; }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.card .name { color: var(--muted); font-size: 13px; font-weight: 600; }
.card .number { font-size: 26px; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
.card .note { color: var(--muted); font-size: 13px; line-height: 1.4; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 14px; margin-top: 12px; }
.odd { grid-template-columns: repeat(6, minmax(0, 1fr)); }
.odd > * { grid-column: span 3; }
.odd > :nth-child(-n+3) { grid-column: span 2; }
figure, .panel { margin: 0; min-width: 0; background: var(--surface); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px 18px; }
.panel + .panel, .figures + .panel, .panel + .figures, .figures + .figures { margin-top: 14px; }
figure { display: flex; flex-direction: column; }
figcaption { color: var(--muted); font-size: 13px; line-height: 1.45; padding-top: 8px; }
.none { color: var(--muted); font-size: 14px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0 0 8px; padding: 0; list-style: none; font-size: 13px; }
.legend li { display: flex; align-items: center; gap: 6px; min-width: 0; }
.legend span { overflow-wrap: anywhere; }
.legend b { font-weight: 600; font-variant-numeric: tabular-nums; }
.swatch { width: 26px; height: 10px; flex: none; }
.swatch[viewBox="0 0 14 10"] { width: 14px; }
.narrow { display: none; }
figure { container-type: inline-size; }
@container (max-width: 440px) { .wide { display: none; } .narrow { display: block; } }
.chart { display: block; width: 100%; height: auto; font-size: 12px; font-variant-numeric: tabular-nums; }
.chart text { fill: var(--muted); }
.chart .label, .chart .value { fill: var(--text); }
.chart .value { font-weight: 600; }
.chart .group { fill: var(--text); font-weight: 650; font-size: 13px; }
.grid { stroke: var(--line); stroke-width: 1; }
.base { stroke: var(--muted); stroke-width: 1; }
.mark { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 3 3; }
.track { fill: var(--soft); }
.whisker { stroke: var(--text); stroke-width: 1.5; }
.halo { stroke: var(--surface); stroke-width: 4; stroke-linecap: round; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.faint { fill: none; stroke-width: 1; stroke-linejoin: round; stroke-opacity: 0.4; }
.stem { stroke: var(--c1); stroke-width: 1; stroke-opacity: 0.75; }
.box { fill: var(--c1); fill-opacity: 0.38; }
.median { stroke: var(--text); stroke-width: 2; }
.s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); } .s3 { stroke: var(--c3); } .s4 { stroke: var(--c4); }
.s5 { stroke: var(--c5); } .s6 { stroke: var(--c6); } .s7 { stroke: var(--c7); } .s8 { stroke: var(--c8); }
.f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); } .f4 { fill: var(--c4); }
.f5 { fill: var(--c5); } .f6 { fill: var(--c6); } .f7 { fill: var(--c7); } .f8 { fill: var(--c8); }
.d1, .d2, .d3, .d4 { stroke-linecap: butt; }
.d1 { stroke-dasharray: 9 6; } .d2 { stroke-dasharray: 2.5 3.5; } .d3 { stroke-dasharray: 10 3 2.5 3; } .d4 { stroke-dasharray: 16 5; }
/* Where a table goes on beyond the edge, its place has a shade there, which a cover hides at the end. */
.scroll { overflow-x: auto; max-width: 100%; background:
  linear-gradient(var(--surface), var(--surface)) right / 20px 100% no-repeat local,
  linear-gradient(to left, var(--line), transparent) right / 16px 100% no-repeat scroll; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--muted); font-weight: 600; font-size: 13px; vertical-align: bottom; }
th, td { padding: 7px 9px; border-bottom: 1px solid var(--line); }
td { overflow-wrap: break-word; unicode-bidi: isolate; }
tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child { padding-left: 0; position: sticky; left: 0; background: var(--surface); }
th:last-child, td:last-child { padding-right: 0; }
th.num, td.num { text-align: right; }
td.num { white-space: nowrap; }
td:first-child { font-weight: 600; min-width: 6em; }
/* Rows of twelve cells and more come closer, so that fewer screens have to scroll. */
tr > :nth-last-child(n+12), tr > :nth-last-child(n+12) ~ * { padding: 7px 5px; font-size: 12px; }
tr > :first-child:nth-last-child(n+12) { padding-left: 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(156px, 1fr)); gap: 12px 16px; margin: 0; }
.facts dt { color: var(--muted); font-size: 13px; }
.facts dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.samples { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 14px; }
.sample { display: flex; flex-direction: column; min-width: 0; background: var(--surface); border: 1px solid var(--line);
  border-radius: 10px; overflow: hidden; }
.sample img { display: block; width: 100%; height: 190px; object-fit: contain; background: var(--soft); }
.absent { display: grid; place-items: center; height: 190px; padding: 16px; background: var(--soft); color: var(--muted);
  font-size: 14px; text-align: center; }
.sample .body { padding: 12px 16px 14px; display: flex; flex-direction: column; gap: 8px; min-width: 0; flex: 1; }
.verdict { font-size: 13px; font-weight: 650; }
.right .verdict { color: var(--good); }
.wrong .verdict { color: var(--bad); }
.verdict .id { color: var(--muted); font-weight: 400; overflow-wrap: anywhere; }
.question { white-space: pre-line; overflow-wrap: anywhere; font-size: 14px; max-height: 17em; overflow-y: auto; }
.sample dl { margin: auto 0 0; padding-top: 8px; border-top: 1px solid var(--line); display: grid;
  grid-template-columns: auto minmax(0, 1fr); gap: 2px 12px; font-size: 14px; }
.sample dt { color: var(--muted); }
.sample dd { margin: 0; overflow-wrap: anywhere; white-space: pre-line; max-height: 9em; overflow-y: auto; }
pre { margin: 0; font: 13px/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 2; }
pre .key { color: var(--accent); }
pre .comment { color: var(--muted); }
.recipe { columns: 2; column-gap: 36px; }
footer { color: var(--muted); font-size: 13px; padding-top: 40px; padding-bottom: 40px; }
@media (max-width: 960px) { .samples { grid-template-columns: repeat(2, minmax(0, 1fr)); } .recipe { columns: 1; } }
@media (max-width: 1040px) { .odd { grid-template-columns: repeat(2, minmax(0, 1fr)); } .odd > *, .odd > :nth-child(-n+3) { grid-column: auto; } }
@media (max-width: 820px) { .figures, .odd { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 560px) {
  main, header, footer { padding-left: 14px; padding-right: 14px; }
  header { padding-top: 22px; }
  h1 { font-size: 25px; }
  section { margin-top: 32px; }
  figure, .panel { padding: 14px; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; }
  .card { padding: 10px 12px; }
  .card .number { font-size: 21px; }
  .samples { grid-template-columns: minmax(0, 1fr); }
  .wide { display: none; } .narrow { display: block; }
  td:first-child span { display: block; width: max-content; max-width: 38vw; overflow-wrap: anywhere; }
}
/* Paper does not scroll: there tables wrap, within words if need be, but not within numbers. */
@media print { body { background: none; } figure, .panel, .card, .sample { break-inside: avoid; } nav { display: none; }
  .scroll { overflow: visible; background: none; } table, th { font-size: 11px; }
  th, td, td:first-child { padding: 4px; overflow-wrap: anywhere; } td:first-child { padding-left: 0; min-width: 5em; }
  tr > :nth-last-child(n+12), tr > :nth-last-child(n+12) ~ * { padding: 4px 2px; font-size: 8px; } }
)css";

}  // namespace qslaw
