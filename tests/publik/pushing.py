"""w.c.s.'s own calls: [doc] a workflow's action "web service" posts JSON at booking, move and cancellation; [code] it
signs them if it has a secret for the host, with its own host name as `orig`."""

import json
import queue
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from tests.publik.signing import signed_url


class Pushing:
    """Calls the hub from its own thread. `answered` gets the HTTP status of each call, or 0 if there was no answer."""

    def __init__(self, town, address, key):
        self.to = None
        self.answered = queue.Queue()
        self._town = town
        self._address = address
        self._key = key
        self._waiting = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        town.listeners.append(self._changed)

    def stop(self):
        self._waiting.put(None)
        self._thread.join(10)

    def _changed(self, form, kind):
        if self.to is None:
            return
        booking = form.data.get("rdv_response", {}).get("booking_id")
        body = {
            "form_api_url": f"{self._address}/api/forms/{form.slug}/{form.id}/",
            "booking_id": booking,
            "start": form.fields.get("rdv_raw"),
            "agenda": form.fields.get("agenda_rdv"),
            "kind": kind,
        }
        self._waiting.put((self.to, body))

    def _run(self):
        while (waiting := self._waiting.get()) is not None:
            self.answered.put(self.call(*waiting))

    def call(self, to, body):
        orig = urlsplit(self._address).hostname
        url = signed_url(to, orig=orig, key=self._key, now_s=self._town.now_ms() / 1000)
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
        try:
            # [infer] w.c.s. waits inside the citizen's request.
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - a test's own address
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0
