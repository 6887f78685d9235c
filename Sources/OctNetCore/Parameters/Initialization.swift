import OctNetSupport

extension Initializer {
  /// - Parameter shape: the parameter's, [filters, …].
  func fill(
    _ values: UnsafeMutableBufferPointer<Float>, shape: [Int], from stream: inout RandomStream
  ) {
    func fillUniform(_ range: Range<Int>, _ bound: Float) {
      for index in range { values[index] = (2 * stream.uniform() - 1) * bound }
    }
    switch self {
    case .constant(let value):
      values.update(repeating: value)
    case .uniform(let bound), .whitening(_, let bound):
      fillUniform(0..<values.count, bound)
    case .kaimingNormal(let fanOut):
      let deviation = (2 / Float(fanOut)).squareRoot()
      for index in values.indices { values[index] = stream.normal() * deviation }
    case .unitDeviation(let bound):
      fillUniform(0..<values.count, bound)
      let factor = Float(1 / deviation(of: values))
      for index in values.indices { values[index] *= factor }
    case .dirac(let bound):
      let filter = shape.dropFirst().reduce(1, *)
      let taps = shape.dropFirst(2)
      // ⌊k / 2⌋ of every axis, as PyTorch has it for even kernels too.
      let middle = taps.reduce(0) { $0 * $1 + $1 / 2 }
      let passing = min(shape[0], shape[1])
      for index in 0..<passing * filter { values[index] = 0 }
      for channel in 0..<passing { values[channel * filter + channel * taps.reduce(1, *) + middle] = 1 }
      fillUniform(passing * filter..<values.count, bound)
    case .zeroFilters(let count, let bound):
      let zeros = min(count, shape[0]) * shape.dropFirst().reduce(1, *)
      for index in 0..<zeros { values[index] = 0 }
      fillUniform(zeros..<values.count, bound)
    }
  }

  /// √(Σ (x − mean)² / (n − 1)), as `torch.std`; 1 where there is nothing to divide by.
  private func deviation(of values: UnsafeMutableBufferPointer<Float>) -> Double {
    guard values.count > 1 else { return 1 }
    let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
    let squares = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let deviation = (squares / Double(values.count - 1)).squareRoot()
    return deviation > 0 ? deviation : 1
  }
}
