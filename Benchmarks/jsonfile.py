"""How the scripts here write their figures, so that hours of them outlive an interruption."""

import json
import os


def write_json(path, value, **style):
    """`style` as of json.dump. The file that is there is replaced whole or not at all; a device is written as it is."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "w") as file:
            file.write(json.dumps(value, indent=1, **style) + "\n")
        return
    # A link stays one.
    path = os.path.realpath(path)
    part = path + ".part"
    with open(part, "w") as file:
        json.dump(value, file, indent=1, **style)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
