"""The report's one style sheet: light and dark, wide and narrow, screen and paper."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#5a6878;--line:#e2e6ec;--faint:#eef1f5;
--good:#1a7f4b;--good-bg:#e3f4ea;--look:#9a6200;--look-bg:#fdf1d8;--stop:#b3261e;--stop-bg:#fbe4e2;--accent:#2f6fdb;
--accent-bg:#2f6fdb22;--bad:#d9574c}
@media(prefers-color-scheme:dark){:root{--page:#0f151c;--card:#18212b;--ink:#e7edf4;--soft:#9aa9ba;--line:#2b3744;
--faint:#212c38;--good:#5cd192;--good-bg:#15382a;--look:#f0bd5d;--look-bg:#3b2e12;--stop:#ff8f86;--stop-bg:#45201e;
--accent:#7eabff;--accent-bg:#7eabff2b;--bad:#f0776d}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,"Liberation Sans",sans-serif;font-variant-numeric:tabular-nums}
main,header.top,footer{max-width:1120px;margin:0 auto;padding:0 24px}
header.top{padding-top:36px;padding-bottom:8px}
h1{font-size:28px;line-height:1.2;letter-spacing:-.02em;margin:0 0 4px}
h2{font-size:21px;letter-spacing:-.01em;margin:0}
h3{font-size:14px;margin:28px 0 8px;color:var(--soft);font-weight:600}
p{margin:6px 0}
a{color:inherit;text-decoration:none;border-bottom:1px solid var(--line)}
a:hover{border-color:var(--accent);color:var(--accent)}
.soft{color:var(--soft)}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.88em}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:24px;margin:20px 0}
.pill{display:inline-block;border-radius:999px;padding:2px 10px;font-size:13px;font-weight:600;white-space:nowrap}
.pill::before{content:"";display:inline-block;width:8px;height:8px;border-radius:50%;background:currentColor;
margin-right:7px;vertical-align:1px}
.good{color:var(--good);background:var(--good-bg)}
.look{color:var(--look);background:var(--look-bg)}
.stop{color:var(--stop);background:var(--stop-bg)}
.verdict{display:flex;gap:14px;align-items:center;border-radius:12px;padding:18px 22px;margin:20px 0;font-size:18px;
font-weight:600}
.verdict .dot{flex:none;width:18px;height:18px;border-radius:50%;background:currentColor}
.verdict span{color:var(--ink)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:16px;margin:20px 0}
.figure{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 18px}
.figure b{display:block;font-size:26px;letter-spacing:-.02em;line-height:1.25}
.figure span{color:var(--soft);font-size:13px}
.scroll{overflow-x:auto;margin:0 -24px;padding:0 24px}
table{border-collapse:collapse;width:100%}
th{font-size:12.5px;font-weight:600;color:var(--soft);text-align:left;padding:6px 12px 6px 0;
border-bottom:1px solid var(--line);vertical-align:bottom;white-space:nowrap}
td{padding:9px 12px 9px 0;border-bottom:1px solid var(--faint);vertical-align:middle}
tr:last-child td{border-bottom:0}
td.n,th.n{text-align:right;white-space:nowrap}
td.name{font-weight:600}
.tight td{padding-top:5px;padding-bottom:5px;font-size:13.5px;vertical-align:top}
.meter{display:inline-block;vertical-align:middle;width:84px;height:7px;border-radius:4px;background:var(--faint);
overflow:hidden;margin-right:8px}
.meter i{display:block;height:100%;border-radius:4px;background:var(--good)}
.meter i.look{background:var(--look)}.meter i.stop{background:var(--bad)}
.flow{display:flex;height:12px;border-radius:6px;overflow:hidden;background:var(--faint);margin:14px 0 8px}
.flow i{display:block;min-width:2px}
.keys{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:13.5px;color:var(--soft)}
.keys b{color:var(--ink)}
.keys i{display:inline-block;width:9px;height:9px;border-radius:3px;margin-right:7px}
.c0{background:var(--good)}.c1{background:var(--bad)}.c2{background:var(--accent)}.c3{background:var(--look)}
.c4{background:var(--soft)}
.head{display:flex;flex-wrap:wrap;gap:6px 14px;align-items:center}
.todo{margin:0;padding:0;list-style:none}
.todo li{padding:9px 0;border-bottom:1px solid var(--faint);display:flex;gap:12px;align-items:baseline}
.todo li:last-child{border:0}
.badge{font-size:12px;border:1px solid var(--line);border-radius:5px;padding:0 6px;color:var(--soft);white-space:nowrap}
details{margin-top:18px}
summary{cursor:pointer;font-weight:600;color:var(--soft);font-size:14px}
summary:hover{color:var(--accent)}
.null{color:var(--soft);opacity:.7}
.sample td.why{white-space:normal;min-width:180px;max-width:320px}
.sample td:not(.why){max-width:240px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.values{white-space:nowrap}.values span{display:inline-block;max-width:170px;overflow:hidden;text-overflow:ellipsis;
vertical-align:bottom}
svg.chart{display:block;width:100%;height:auto;overflow:visible}
.spark{width:110px}.spark svg,.hist svg{height:28px}
.hist{width:200px}.hist svg{height:44px;width:200px}
.trend{max-width:720px}
.chart text{fill:var(--soft);font-size:11px;font-family:inherit}
.chart .y text{text-anchor:end}.chart .x text{text-anchor:middle}
.chart .guide.line{stroke:var(--faint);fill:none}
.chart .axis .line{stroke:var(--line);fill:none}
.chart .x .guide.line{stroke:none}
.chart .color-0 .line{stroke:var(--accent);stroke-width:2;fill:var(--accent-bg);stroke-linejoin:round;
vector-effect:non-scaling-stroke}
.chart .color-0 .dot{fill:var(--accent);stroke:var(--card);stroke-width:1.5}
.chart .color-0 .rect{fill:var(--accent);opacity:.75}
.chart .color-0 .rect:hover{opacity:1}
.chart .color-1 .line{stroke:var(--bad);stroke-dasharray:5 5;fill:none}
footer{padding-top:12px;padding-bottom:48px;color:var(--soft);font-size:13px}
@media(max-width:640px){main,header.top,footer{padding-left:14px;padding-right:14px}.card{padding:16px}
.scroll{margin:0 -16px;padding:0 16px}h1{font-size:23px}.verdict{font-size:16px}}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--faint:#eee}
body{font-size:11px}.card,.figure{break-inside:avoid;border-color:#ccc}main,header.top,footer{max-width:none;padding:0}
details>*{display:block}.scroll{overflow:visible}
.meter,.flow i,.pill,.verdict,.c0,.c1,.c2{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
