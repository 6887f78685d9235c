"""Checks exported networks: with ONNX's own checker, and against OctNet's numbers in ONNX Runtime and OpenVINO.

    pip install -r Tools/onnx/requirements.txt
    python Tools/onnx/check.py MODEL.onnx [EXPECTED.safetensors] ...

EXPECTED has the images as `image` and what each output must be under its name. Shapes must be equal, and numbers agree
to `--tolerance` of the output's largest. OpenVINO takes its turn where it is installed. Prints one JSON object a model, of the
largest relative differences by runtime, and ends with 1 where something is wrong.
"""

import argparse
import importlib.util
import json
import struct
import sys

import numpy
import onnx
import onnxruntime

TYPES = {"F32": numpy.float32, "U8": numpy.uint8, "I64": numpy.int64}


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        arrays[name] = numpy.frombuffer(data[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def run_onnxruntime(path, image):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image})))


def run_openvino(path, image):
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 2, "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(path, "CPU", settings)
    results = model.create_infer_request().infer({"image": image})
    names = [output.name for output in onnx.load(path).graph.output]
    return {name: results[output] for name, output in zip(names, model.outputs)}


def declared(model):
    """Shapes of the outputs; None where a size is free. ONNX gives a batch behind a Resize another name."""
    return {output.name: [d.dim_value if d.HasField("dim_value") else None for d in output.type.tensor_type.shape.dim]
            for output in model.graph.output}


def check(path, expected, tolerance):
    """The largest differences by runtime; raises ValueError for what is wrong."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    # What ONNX itself infers from the nodes must be what the file says.
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for output in bare.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = declared(onnx.shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True))
    for name, shape in declared(model).items():
        if inferred[name] != shape:
            raise ValueError(f"{name} is declared as {shape}, but ONNX infers {inferred[name]}")
    runtimes = {"onnxruntime": run_onnxruntime}
    if importlib.util.find_spec("openvino"):
        runtimes["openvino"] = run_openvino
    differences = {}
    for runtime, run in runtimes.items():
        if expected is None:
            shape = [d.dim_value or 2 for d in model.graph.input[0].type.tensor_type.shape.dim]
            is_bytes = model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
            run(path, numpy.zeros(shape, numpy.uint8 if is_bytes else numpy.float32))
            differences[runtime] = None
            continue
        found = run(path, expected["image"])
        if set(found) | {"image"} != set(expected):
            raise ValueError(f"{runtime}: found outputs {sorted(found)}, expected {sorted(expected)}")
        differences[runtime] = 0.0
        for name, array in found.items():
            if array.shape != expected[name].shape:
                raise ValueError(f"{runtime}: {name} is {array.shape}, expected {expected[name].shape}")
            scale = max(float(numpy.abs(expected[name]).max()), 1e-30)
            difference = float(numpy.abs(array.astype(numpy.float64) - expected[name]).max()) / scale
            if not difference <= tolerance:
                raise ValueError(f"{runtime}: {name} differs by {difference:.2e} of its largest number")
            differences[runtime] = max(differences[runtime], difference)
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", help="models, each followed by what it must give or not")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    options = parser.parse_args()
    models = []
    for place, path in enumerate(options.files):
        if path.endswith(".onnx"):
            models.append([path, None])
        elif path.endswith(".safetensors") and place > 0 and options.files[place - 1].endswith(".onnx"):
            models[-1][1] = path
        else:
            parser.error(f"{path}: expected a model (.onnx), or directly behind one what it must give (.safetensors)")
    failures = 0
    for model, expected in models:
        try:
            differences = check(model, expected and read_safetensors(expected), options.tolerance)
            print(json.dumps({"model": model, "differences": differences}), flush=True)
        except Exception as error:
            failures += 1
            print(f"{model}: {type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
