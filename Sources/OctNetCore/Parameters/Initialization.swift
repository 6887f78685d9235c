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
    case .dirac(let passing, let zeros, let bound):
      let count = shape.dropFirst().reduce(1, *)
      let taps = shape.dropFirst(2)
      // ⌊k / 2⌋ of every axis, as PyTorch has it for even kernels too.
      let middle = taps.reduce(0) { $0 * $1 + $1 / 2 }
      for filter in 0..<shape[0] {
        let range = filter * count..<(filter + 1) * count
        let channel = filter - passing.lowerBound
        let passes = passing.contains(filter) && channel < shape[1]
        guard passes || filter < zeros else {
          fillUniform(range, bound)
          continue
        }
        for index in range { values[index] = 0 }
        if passes { values[range.lowerBound + channel * taps.reduce(1, *) + middle] = 1 }
      }
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
