import OctNetSupport

/// What stands in a pickle. Containers are in the machine, by number: so nothing is nested, however deep the pickle is, and
/// nothing that is shared is there twice.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  /// Whole numbers beyond 64 bits, little-endian in two's complement.
  case large([UInt8])
  case number(Double)
  case text(String)
  case bytes([UInt8])
  /// A list, tuple or set in `PickleMachine.sequences`.
  case sequence(Int)
  /// In `PickleMachine.dictionaries`.
  case dictionary(Int)
  case global(PickleGlobal)
  /// In `PickleMachine.storages`.
  case storage(Int)
  /// In `PickleMachine.tensors`.
  case tensor(Int)
  /// An object of a class that is known to be harmless; nothing of it is kept but the name of its class.
  case object(String)

  /// For errors.
  var kind: String {
    switch self {
    case .none: return "None"
    case .bool(let value): return value ? "True" : "False"
    case .integer(let value): return "the number \(value)"
    case .large: return "a number beyond 64 bits"
    case .number(let value): return "the number \(value)"
    case .text(let text): return "\"\(StateMismatch.shortened(text))\""
    case .bytes(let bytes): return numbered(bytes.count, "byte")
    case .sequence: return "a list"
    case .dictionary: return "a dictionary"
    case .global(let global): return "\(global)"
    case .storage: return "a storage"
    case .tensor: return "a tensor"
    case .object(let name): return "an object of \(name)"
    }
  }
}

/// Reads pickles (protocols 2 to 5) as PyTorch writes them. It looks globals up in a fixed list (`PickleGlobal`) and runs
/// nothing: a call of one of them makes a dictionary, a tensor's description or an object without contents.
///
/// Memory grows with the bytes that are read: no instruction makes more than one value, and copies are counted.
struct PickleMachine {
  /// Where the numbers of tensors are.
  struct Storage {
    let key: String
    /// `nil` for bytes whose kind the tensors say.
    let dtype: SafetensorsFile.DType?
    /// Elements, or bytes without a kind.
    let count: Int
  }

  struct Tensor {
    let storage: Int
    let dtype: SafetensorsFile.DType
    /// The first element, in elements.
    let offset: Int
    let array: StridedArray
  }

  var sequences: [[PickleValue]] = []
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  var storages: [Storage] = []
  var tensors: [Tensor] = []

  private var stream: ByteStream
  private var stack: [PickleValue] = []
  /// Heights of the stack at which marks stand.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  /// Of the instruction, for errors.
  private var start = 0
  /// Members that calls copied from one container into another.
  private var copies = 0

  init(_ stream: ByteStream) { self.stream = stream }

  /// Behind the last pickle that was read.
  var offset: Int { stream.offset }

  /// The next pickle. Earlier ones' containers stay.
  /// - Throws: `OctNetError.file` for one that is damaged, does more than describe weights, or is too long.
  mutating func load() throws(OctNetError) -> PickleValue {
    (stack, marks, memo) = ([], [], [:])
    let end = stream.offset + min(stream.remaining, FileLimit.pickle)
    while true {
      start = stream.offset
      guard start < end || stream.remaining == 0 else {
        throw error("a pickle of more than \(numbered(FileLimit.pickle, "byte"))")
      }
      let code = try stream.byte()
      if code == UInt8(ascii: ".") { return try pop() }
      try run(code)
    }
  }

  func error(_ problem: String) -> OctNetError { stream.error(problem, at: start) }

  // MARK: Stack

  private mutating func pop() throws(OctNetError) -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
      throw error("the pickle takes a value that is not there")
    }
    return value
  }

  private mutating func popToMark() throws(OctNetError) -> [PickleValue] {
    guard let mark = marks.popLast(), mark <= stack.count else {
      throw error("the pickle goes back to a mark that is not there")
    }
    let values = Array(stack[mark...])
    stack.removeSubrange(mark...)
    return values
  }

  private func top() throws(OctNetError) -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.last else {
      throw error("the pickle takes a value that is not there")
    }
    return value
  }

  private mutating func push(sequence: [PickleValue]) {
    sequences.append(sequence)
    stack.append(.sequence(sequences.count - 1))
  }

  private mutating func pushDictionary(_ pairs: [(key: PickleValue, value: PickleValue)] = []) {
    dictionaries.append(pairs)
    stack.append(.dictionary(dictionaries.count - 1))
  }

  private mutating func length(_ count: UInt64) throws(OctNetError) -> Int {
    guard count <= UInt64(stream.remaining) else {
      throw error("truncated: expected \(numbered(count, "more byte")), found \(stream.remaining)")
    }
    guard count <= UInt64(FileLimit.pickle) else {
      throw error("\(numbered(count, "byte")) in a row, expected at most \(FileLimit.pickle)")
    }
    return Int(count)
  }

  private mutating func pushText(_ count: UInt64) throws(OctNetError) {
    stack.append(.text(String(decoding: try stream.bytes(length(count)), as: UTF8.self)))
  }

  private mutating func pushBytes(_ count: UInt64) throws(OctNetError) {
    stack.append(.bytes(try stream.bytes(length(count))))
  }

  /// Little-endian, two's complement.
  private mutating func pushLong(_ count: UInt64) throws(OctNetError) {
    let bytes = try stream.bytes(length(count))
    guard bytes.count <= 8 else {
      stack.append(.large(bytes))
      return
    }
    let fill: UInt8 = bytes.last.map { $0 & 0x80 != 0 } == true ? 0xff : 0
    let whole = bytes + Array(repeating: fill, count: 8 - bytes.count)
    stack.append(
      .integer(Int(truncatingIfNeeded: whole.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })))
  }

  private mutating func recall(_ index: Int) throws(OctNetError) {
    guard let value = memo[index] else {
      throw error("the pickle recalls value \(index), which is not there")
    }
    stack.append(value)
  }

  // MARK: Instructions

  private mutating func run(_ code: UInt8) throws(OctNetError) {
    switch code {
    case 0x80:  // PROTO
      let version = try stream.byte()
      guard version <= 5 else { throw error("a pickle of protocol \(version), expected at most 5") }
    case 0x95: _ = try stream.integer(UInt64.self)  // FRAME
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "0"):
      if stack.count == marks.last { marks.removeLast() } else { _ = try pop() }
    case UInt8(ascii: "1"): _ = try popToMark()
    case UInt8(ascii: "2"): stack.append(try top())
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "J"): stack.append(.integer(Int(try stream.integer(Int32.self))))
    case UInt8(ascii: "K"): stack.append(.integer(Int(try stream.byte())))
    case UInt8(ascii: "M"): stack.append(.integer(Int(try stream.integer(UInt16.self))))
    case UInt8(ascii: "G"):
      stack.append(.number(Double(bitPattern: try stream.integer(UInt64.self).byteSwapped)))
    case 0x8a: try pushLong(UInt64(try stream.byte()))
    case 0x8b: try pushLong(UInt64(try stream.integer(UInt32.self)))
    case UInt8(ascii: "X"), UInt8(ascii: "T"): try pushText(UInt64(try stream.integer(UInt32.self)))
    case 0x8c, UInt8(ascii: "U"): try pushText(UInt64(try stream.byte()))
    case 0x8d: try pushText(try stream.integer(UInt64.self))
    case UInt8(ascii: "B"): try pushBytes(UInt64(try stream.integer(UInt32.self)))
    case UInt8(ascii: "C"): try pushBytes(UInt64(try stream.byte()))
    case 0x8e, 0x96: try pushBytes(try stream.integer(UInt64.self))
    case UInt8(ascii: ")"), UInt8(ascii: "]"), 0x8f: push(sequence: [])
    case UInt8(ascii: "t"), UInt8(ascii: "l"), 0x91: push(sequence: try popToMark())
    case 0x85, 0x86, 0x87:
      var values: [PickleValue] = []
      for _ in 0..<(Int(code) - 0x84) { values.insert(try pop(), at: 0) }
      push(sequence: values)
    case UInt8(ascii: "}"): pushDictionary()
    case UInt8(ascii: "d"): pushDictionary(try pairs(try popToMark()))
    case UInt8(ascii: "q"): memo[Int(try stream.byte())] = try top()
    case UInt8(ascii: "r"): memo[Int(try stream.integer(UInt32.self))] = try top()
    case 0x94: memo[memo.count] = try top()
    case UInt8(ascii: "h"): try recall(Int(try stream.byte()))
    case UInt8(ascii: "j"): try recall(Int(try stream.integer(UInt32.self)))
    case UInt8(ascii: "a"): try append([try pop()])
    case UInt8(ascii: "e"), 0x90: try append(try popToMark())
    case UInt8(ascii: "s"):
      let value = try pop()
      try setItems([(try pop(), value)])
    case UInt8(ascii: "u"): try setItems(try pairs(try popToMark()))
    case UInt8(ascii: "c"):
      let module = try stream.line(limit: 256)
      stack.append(.global(try global(module, try stream.line(limit: 256))))
    case 0x93:
      let (name, module) = (try pop(), try pop())
      guard case .text(let name) = name, case .text(let module) = module else {
        throw error("expected the names of a global, found \(module.kind) and \(name.kind)")
      }
      stack.append(.global(try global(module, name)))
    case UInt8(ascii: "Q"): stack.append(.storage(try storage(try pop())))
    case UInt8(ascii: "R"), 0x81:
      let arguments = try pop()
      stack.append(try call(try pop(), try members(of: arguments)))
    case 0x92:
      _ = try pop()  // by name
      let arguments = try pop()
      stack.append(try call(try pop(), try members(of: arguments)))
    case UInt8(ascii: "b"):
      _ = try pop()
      // A state dictionary's versions, a parameter's attributes: nothing of it is weights.
      switch try top() {
      case .dictionary, .object, .tensor: break
      case let other: throw error("the pickle gives a state to \(other.kind)")
      }
    default:
      throw error("the pickle has instruction 0x\(String(code, radix: 16)), which no weights need")
    }
  }

  private func global(_ module: String, _ name: String) throws(OctNetError) -> PickleGlobal {
    guard let global = PickleGlobal.named("\(module).\(name)") else {
      let shown = StateMismatch.shortened("\(module).\(name)")
      let isModule = module.hasPrefix("torch.nn.modules.") || module.hasPrefix("torchvision.models")
      throw error(
        "found the Python object \(shown), which is not loaded since it could run code"
          + (isModule ? ": a whole model was saved; save model.state_dict() instead" : ""))
    }
    return global
  }

  private func pairs(_ values: [PickleValue]) throws(OctNetError) -> [(key: PickleValue, value: PickleValue)]
  {
    guard values.count.isMultiple(of: 2) else { throw error("a dictionary with a key and no value") }
    return stride(from: 0, to: values.count, by: 2).map { (values[$0], values[$0 + 1]) }
  }

  private func members(of value: PickleValue) throws(OctNetError) -> [PickleValue] {
    guard case .sequence(let index) = value else { throw error("expected a tuple, found \(value.kind)") }
    return sequences[index]
  }

  private mutating func append(_ values: [PickleValue]) throws(OctNetError) {
    switch try top() {
    case .sequence(let index): sequences[index] += values
    case .object: break
    case let other: throw error("the pickle appends to \(other.kind)")
    }
  }

  private mutating func setItems(_ pairs: [(key: PickleValue, value: PickleValue)]) throws(OctNetError) {
    switch try top() {
    case .dictionary(let index): dictionaries[index] += pairs
    case .object: break
    case let other: throw error("the pickle sets an item of \(other.kind)")
    }
  }

  // MARK: Calls

  private mutating func call(
    _ callee: PickleValue, _ arguments: [PickleValue]
  ) throws(OctNetError) -> PickleValue {
    guard case .global(let global) = callee else { throw error("the pickle calls \(callee.kind)") }
    switch global {
    case .dictionary:
      // Python 2 gives a list of [key, value]; a defaultdict has a type in front.
      var pairs: [(key: PickleValue, value: PickleValue)] = []
      if arguments.count == 1, case .sequence(let index) = arguments[0] {
        try countCopies(sequences[index].count)
        for pair in sequences[index] {
          let members = try members(of: pair)
          guard members.count == 2 else {
            throw error("expected a key and a value, found \(numbered(members.count, "value"))")
          }
          pairs.append((members[0], members[1]))
        }
      }
      dictionaries.append(pairs)
      return .dictionary(dictionaries.count - 1)
    case .sequence:
      var values: [PickleValue] = []
      if let argument = arguments.first { values = try members(of: argument) }
      try countCopies(values.count)
      sequences.append(values)
      return .sequence(sequences.count - 1)
    case .tensor(let form): return try tensor(form, arguments)
    case .parameter:
      guard case .tensor? = arguments.first else {
        throw error("expected a parameter of a tensor, found one of \(arguments.first?.kind ?? "nothing")")
      }
      return arguments[0]
    case .object(let name): return .object(name)
    case .storage, .dtype: throw error("the pickle calls \(global)")
    }
  }

  /// A container that is copied again and again makes much of few bytes; one that is copied once took a byte a member.
  private mutating func countCopies(_ count: Int) throws(OctNetError) {
    copies += count
    guard copies <= stream.offset else { throw error("the pickle copies the same values again and again") }
  }

  private func integer(_ value: PickleValue, _ what: String) throws(OctNetError) -> Int {
    guard case .integer(let number) = value, number >= 0 else {
      throw error("\(what): expected a whole number from 0, found \(value.kind)")
    }
    return number
  }

  /// ("storage", kind, key, device, number of elements), and in old files a view.
  private mutating func storage(_ id: PickleValue) throws(OctNetError) -> Int {
    let parts = try members(of: id)
    guard parts.count == 5 || parts.count == 6, case .text("storage") = parts[0],
      case .global(.storage(let dtype)) = parts[1], case .text(let key) = parts[2]
    else {
      throw error("expected a storage of PyTorch's (kind, key, device, size), found something else")
    }
    let count = try integer(parts[4], "size of storage \"\(StateMismatch.shortened(key))\"")
    if parts.count == 6 {
      guard case .none = parts[5] else {
        throw error("a storage that is a part of another, as PyTorch wrote them before 0.4")
      }
    }
    storages.append(Storage(key: key, dtype: dtype, count: count))
    return storages.count - 1
  }

  private mutating func tensor(
    _ form: PickleGlobal.TensorForm, _ arguments: [PickleValue]
  ) throws(OctNetError) -> PickleValue {
    guard arguments.count >= form.arguments, case .storage(let index) = arguments[0] else {
      throw error("expected a tensor's storage, offset, size and stride, found something else")
    }
    let storage = storages[index]
    var dtype = storage.dtype
    if form == .typed {
      guard case .global(.dtype(let named)) = arguments[6] else {
        throw error("expected a tensor's kind of numbers, found \(arguments[6].kind)")
      }
      dtype = named
    }
    guard let dtype else { throw error("a tensor of bytes whose kind of numbers is not said") }
    let offset = try integer(arguments[1], "a tensor's offset")
    let sizes = try members(of: arguments[2])
    guard sizes.count <= StridedArray.maximumRank else {
      throw error("a tensor of \(sizes.count) dimensions, expected at most \(StridedArray.maximumRank)")
    }
    var (shape, strides): ([Int], [Int]) = ([], [])
    for value in sizes { shape.append(try integer(value, "a tensor's size")) }
    for value in try members(of: arguments[3]).prefix(StridedArray.maximumRank + 1) {
      strides.append(try integer(value, "a tensor's stride"))
    }
    guard let array = StridedArray(shape: shape, strides: strides) else {
      throw error("size \(shape.prefix(8)) and stride \(strides.prefix(8)) of a tensor do not fit each other")
    }
    let elements = storage.dtype == nil ? storage.count / dtype.size : storage.count
    guard array.count == 0 || (offset <= elements && array.extent <= elements - offset) else {
      throw error(
        "a tensor of size \(shape) and stride \(strides) from \(offset) on reaches outside its storage of \(numbered(elements, "element"))"
      )
    }
    // One of no elements may lie behind the storage's end.
    tensors.append(Tensor(storage: index, dtype: dtype, offset: array.count == 0 ? 0 : offset, array: array))
    return .tensor(tensors.count - 1)
  }
}
