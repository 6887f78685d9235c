import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// How the page looks: on white or dark as the reader prefers, from a telephone's width up, and on paper.
enum PageStyle {
  static let rules =
    """
    :root{--ink:#1c1e21;--muted:#5c6166;--rule:#dcdfe3;--paper:#ffffff;--panel:#f5f6f8;--note:#fff6dd}
    @media screen and (prefers-color-scheme:dark){:root{--ink:#e8eaed;--muted:#a5abb3;--rule:#353a41;\
    --paper:#14171b;--panel:#1d2126;--note:#2f2a19}}
    *{box-sizing:border-box}
    html{color-scheme:light dark;-webkit-text-size-adjust:100%}
    body{margin:0 auto;max-width:70rem;padding:1.5rem 1.25rem 3rem;background:var(--paper);color:var(--ink);\
    font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
    h1{font-size:1.6rem;margin:0}
    h2{font-size:1.25rem;margin:2.5rem 0 .75rem;padding-bottom:.25rem;border-bottom:1px solid var(--rule)}
    h3{font-size:1.08rem;margin:2rem 0 .5rem}
    .sub,figcaption,.hint,footer,dt,dd{color:var(--muted)}
    .sub{margin:.1rem 0 0}
    .lead{font-size:1.15rem;max-width:50rem}
    .numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:.75rem;margin:1.25rem 0}
    .numbers div{background:var(--panel);border-radius:.5rem;padding:.7rem .9rem}
    dt,dd{font-size:.85rem;margin:0}
    .numbers .value{color:var(--ink);font-size:1.25rem;font-weight:600;white-space:nowrap;font-variant-numeric:tabular-nums}
    .notes{background:var(--note);border-radius:.5rem;margin:1rem 0;padding:.7rem 1rem .7rem 2rem;\
    overflow-wrap:anywhere}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1.5rem 2rem;\
    align-items:start}
    figure{margin:0;max-width:29rem;min-width:0}
    figure svg{display:block;width:100%;height:auto}
    figcaption{font-size:.85rem;margin-top:.25rem}
    .legend{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:.5rem 0 1.25rem;padding:0;\
    font-size:.9rem}
    .legend li,.legend label{display:flex;align-items:center;gap:.4rem}
    .legend label{cursor:pointer;padding:.15rem .2rem}
    .legend span{white-space:pre-wrap}
    .switch{position:absolute;opacity:0;pointer-events:none}
    .legend svg{flex:none}
    .table{margin:1.25rem 0;min-width:0}
    .charts .table{margin-top:0}
    .scroll{overflow-x:auto}
    .hint{font-size:.85rem;margin:.4rem 0 0;max-width:50rem}
    table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
    caption{text-align:left;font-weight:600;padding:0 0 .3rem}
    th,td{padding:.3rem .7rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule);\
    vertical-align:top}
    thead th{border-bottom:2px solid var(--rule);vertical-align:bottom;white-space:normal}
    th{font-weight:600}
    tbody th{font-weight:500}
    .t{text-align:left}
    .w{min-width:6.5rem}
    td.t{white-space:normal}
    tbody th{position:sticky;left:0;background:var(--paper)}
    footer{font-size:.85rem;margin-top:3rem;border-top:1px solid var(--rule)}
    .tip{position:absolute;pointer-events:none;z-index:2;background:var(--paper);color:var(--ink);\
    border:1px solid var(--rule);border-radius:.4rem;padding:.4rem .6rem;font-size:.8rem;\
    font-variant-numeric:tabular-nums;box-shadow:0 2px 8px rgba(0,0,0,.2);max-width:20rem}
    .tip[hidden]{display:none}
    .tip div{display:flex;gap:.4rem;align-items:center}
    .tip i{width:.8rem;height:.2rem;flex:none}
    .tip b{margin-left:auto;padding-left:.6rem;font-weight:600}
    @media (max-width:40rem){body{padding:1rem .8rem 2rem}th,td{padding:.3rem .45rem}\
    tbody th{min-width:6rem;max-width:45vw;white-space:normal}\
    .numbers{grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr))}.numbers div{padding:.6rem .7rem}\
    .numbers .value{font-size:1.05rem}}
    @media print{body{max-width:none;padding:0;font-size:10pt}figure,tr,.numbers div{break-inside:avoid}\
    h2,h3,.legend,caption{break-after:avoid}.scroll{overflow:visible}th,td{padding:.15rem .3rem;font-size:8pt;white-space:normal}\
    .charts{grid-template-columns:1fr 1fr;gap:1rem}.tip{display:none}}

    """ + ChartStyle.darkRules
}
