/// What a pickle of weights may name; everything else ends the reading.
enum PickleGlobal: Sendable, CustomStringConvertible {
  /// A dictionary, whatever its class.
  case dictionary
  /// A set or list, whatever its class.
  case sequence
  /// A function that makes a tensor of a storage.
  case tensor(TensorForm)
  /// A function or class that wraps a tensor.
  case parameter
  /// A class of storages; `nil` for bytes.
  case storage(SafetensorsFile.DType?)
  /// A kind of numbers; `nil` for one that is not read.
  case dtype(SafetensorsFile.DType?)
  /// A class or function that has nothing to do with weights, as it stands beside them in checkpoints.
  case object(String)

  /// (storage, offset, size, stride, …), and where the kind of numbers comes seventh.
  enum TensorForm: Sendable {
    case plain, typed
    var arguments: Int { self == .plain ? 4 : 7 }
  }

  static func named(_ name: String) -> PickleGlobal? { table[name] }

  var description: String {
    switch self {
    case .dictionary: return "the class of a dictionary"
    case .sequence: return "the class of a list"
    case .tensor, .parameter: return "the function that makes tensors"
    case .storage: return "the class of a storage"
    case .dtype: return "a kind of numbers"
    case .object(let name): return name
    }
  }

  private static let table: [String: PickleGlobal] = {
    var table: [String: PickleGlobal] = [
      "collections.OrderedDict": .dictionary, "collections.defaultdict": .dictionary,
      "builtins.dict": .dictionary, "__builtin__.dict": .dictionary,
      "builtins.set": .sequence, "__builtin__.set": .sequence, "builtins.frozenset": .sequence,
      "builtins.list": .sequence, "builtins.tuple": .sequence, "torch.Size": .sequence,
      "torch._utils._rebuild_tensor": .tensor(.plain), "torch._utils._rebuild_tensor_v2": .tensor(.plain),
      "torch._utils._rebuild_tensor_v3": .tensor(.typed),
      "torch._utils._rebuild_parameter": .parameter,
      "torch._utils._rebuild_parameter_with_state": .parameter,
      "torch.nn.parameter.Parameter": .parameter,
      "torch.storage.UntypedStorage": .storage(nil), "torch.UntypedStorage": .storage(nil),
    ]
    for (name, dtype) in [
      ("Float", .f32), ("Double", .f64), ("Half", .f16), ("BFloat16", .bf16), ("Long", .i64), ("Int", .i32),
      ("Short", .i16), ("Char", .i8), ("Byte", .u8), ("Bool", .bool),
    ] as [(String, SafetensorsFile.DType)] {
      table["torch.\(name)Storage"] = .storage(dtype)
      table["torch.cuda.\(name)Storage"] = .storage(dtype)
    }
    for (names, dtype) in [
      ("float32 float", .f32), ("float64 double", .f64), ("float16 half", .f16), ("bfloat16", .bf16),
      ("int64 long", .i64), ("int32 int", .i32), ("int16 short", .i16), ("int8", .i8), ("uint8", .u8),
      ("uint16", .u16), ("uint32", .u32), ("uint64", .u64), ("bool", .bool), ("float8_e4m3fn", .f8e4m3),
      ("float8_e5m2", .f8e5m2), ("complex64 complex128 complex32", nil),
    ] as [(String, SafetensorsFile.DType?)] {
      for name in names.split(separator: " ") { table["torch.\(name)"] = .dtype(dtype) }
    }
    for name in [
      "argparse.Namespace", "collections.Counter", "torch.device", "torch.serialization._get_layout",
      "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
      "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "_codecs.encode",
      "builtins.complex", "builtins.slice", "builtins.range", "builtins.bytearray", "__builtin__.bytearray",
      "builtins.int", "builtins.float", "builtins.str", "builtins.bool", "datetime.datetime",
      "datetime.timedelta", "pathlib.PosixPath", "pathlib.PurePosixPath", "pathlib._local.PosixPath",
    ] { table[name] = .object(name) }
    return table
  }()
}
