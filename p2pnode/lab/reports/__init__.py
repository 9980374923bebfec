"""What people look at: a page and plots, made from a run's folder alone.

    write_report(folder)

`curves` and `diagrams` draw, `words` tells, `page` puts it together. Matplotlib is imported when
something is drawn, not before.
"""

from p2pnode.lab.reports.report import write_report

__all__ = ["write_report"]
