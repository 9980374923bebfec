"""What people look at: a page and plots, made from a run's folder alone.

    write_report(folder)

`curves` and `diagrams` draw into axes that the caller may bring, `words` tells, `page` puts it
together. Matplotlib is imported when a report is made, not before.
"""

from p2pnode.lab.reports.compare_report import write_compare_report
from p2pnode.lab.reports.curves import divergence_curve, finality_curves, index_curves
from p2pnode.lab.reports.diagrams import dag_window, life_of_an_operation, link_map
from p2pnode.lab.reports.report import write_report
from p2pnode.lab.reports.sweep_report import write_sweep_report

__all__ = [
    "dag_window",
    "divergence_curve",
    "finality_curves",
    "index_curves",
    "life_of_an_operation",
    "link_map",
    "write_compare_report",
    "write_report",
    "write_sweep_report",
]
