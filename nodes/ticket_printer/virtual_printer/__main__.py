"""The virtual printer on a TCP port, for manual tests: `python -m nodes.ticket_printer.virtual_printer`."""

import argparse
import sys
import threading
from pathlib import Path

from nodes.ticket_printer.virtual_printer.device import FAULTS, UnknownFault, VirtualPrinter, fault_named
from nodes.ticket_printer.virtual_printer.interpreter import Paper
from nodes.ticket_printer.virtual_printer.server import PaperFolder, TcpPrinter

PORT = 9100


def main() -> int:
    """Serve until interrupted. Each line on standard input sets the fault from then on."""
    parser = argparse.ArgumentParser(
        prog="python -m nodes.ticket_printer.virtual_printer",
        description="A network printer that saves its paper as PNG files.",
        epilog=f"Type the name of a fault to set it: {', '.join(FAULTS)}.",
    )
    parser.add_argument("folder", type=Path, help="folder for the PNG files")
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"TCP port on loopback (default: {PORT}; 0: any free port)"
    )
    options = parser.parse_args()
    try:
        served = TcpPrinter(VirtualPrinter(PaperFolder(options.folder, _tell)), options.port)
    except OSError as error:
        print(f"the virtual printer cannot listen on port {options.port}: {error}", file=sys.stderr)
        return 1
    print(f"listening on 127.0.0.1:{served.port}", flush=True)
    try:
        return _obey(served)
    except KeyboardInterrupt:
        return 0
    finally:
        served.close()


def _obey(served: TcpPrinter) -> int:
    for line in sys.stdin:
        try:
            served.fail(fault_named(line.strip()))
        except UnknownFault as error:
            print(error, file=sys.stderr)
    threading.Event().wait()
    return 0


def _tell(name: str, paper: Paper) -> None:
    print(name, *paper.text, sep=" | ", flush=True)


if __name__ == "__main__":
    sys.exit(main())
