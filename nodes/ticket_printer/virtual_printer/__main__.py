"""The virtual printer on a TCP port, for trying things by hand: `python -m nodes.ticket_printer.virtual_printer PAPER_DIR [PORT]`."""

import sys
import threading
from pathlib import Path

from nodes.ticket_printer.virtual_printer.device import FAULTS, UnknownFault, VirtualPrinter, fault_named
from nodes.ticket_printer.virtual_printer.interpreter import Paper
from nodes.ticket_printer.virtual_printer.server import PaperFolder, TcpPrinter


def main() -> int:
    """Serves until the end of its input; each line of it is a fault to have from then on."""
    if len(sys.argv) not in {2, 3} or (not sys.argv[-1].isdecimal() and len(sys.argv) == 3):
        print("usage: python -m nodes.ticket_printer.virtual_printer PAPER_DIR [PORT]", file=sys.stderr)
        return 2
    folder = PaperFolder(Path(sys.argv[1]), _tell)
    try:
        served = TcpPrinter(VirtualPrinter(folder), int(sys.argv[2]) if len(sys.argv) == 3 else 9100)
    except OSError as error:
        print(f"the virtual printer cannot listen on that port: {error}", file=sys.stderr)
        return 1
    print(f"listening on 127.0.0.1:{served.port}; faults: {', '.join(FAULTS)}", flush=True)
    try:
        for line in sys.stdin:
            try:
                served.fail(fault_named(line.strip()))
            except UnknownFault as error:
                print(error, file=sys.stderr)
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        served.close()
    return 0


def _tell(name: str, paper: Paper) -> None:
    print(name, *paper.text, sep=" | ", flush=True)


if __name__ == "__main__":
    sys.exit(main())
