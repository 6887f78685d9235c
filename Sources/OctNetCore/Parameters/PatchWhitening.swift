import CKernels
import OctNetSupport

/// Filters that whiten the patches of images: the eigenvectors v of the patches' second moments E[p·pᵀ], each divided by
/// √(eigenvalue + ε), in ascending order, and behind them their negatives, so that an activation loses neither sign.
///
/// A network whose first convolution begins by `ConvInitialization.whitening` is shown images once, before it is trained:
///
/// ```swift
/// if var whitening = PatchWhitening(of: network) {
///   whitening.add(images, count: 5000, threads: 2)
///   whitening.finish()
/// }
/// ```
///
/// `Trainer` does so with the first 5,000 training images, normalised but not augmented.
public struct PatchWhitening {
  /// Images that `Trainer` shows.
  public static let usualImages = 5000

  private struct Filters {
    let parameter: ParameterID
    let kernelHeight, kernelWidth: Int
    let epsilon: Double
    /// Σ p·pᵀ.
    var moments: [Double]
  }

  private let network: Network
  private var filters: [Filters] = []
  private var images = 0

  /// nil where no convolution of the network begins so.
  public init?(of network: Network) {
    self.network = network
    for (index, parameter) in network.graph.parameters.enumerated() {
      guard case .whitening(let epsilon, _) = parameter.initializer else { continue }
      let size = parameter.shape.dropFirst().reduce(1, *)
      filters.append(
        Filters(
          parameter: ParameterID(index: index), kernelHeight: parameter.shape[2],
          kernelWidth: parameter.shape[3], epsilon: Double(epsilon),
          moments: Array(repeating: 0, count: size * size)))
    }
    if filters.isEmpty { return nil }
  }

  /// Takes more images into account. The bits do not depend on the number of threads.
  ///
  /// - Parameters:
  ///   - images: [count, height, width, channels] of the network's input.
  ///   - count: of the images.
  ///   - threads: OpenMP threads that it uses.
  public mutating func add(_ images: UnsafePointer<Float>, count: Int, threads: Int) {
    let shape = network.inputShape
    for index in filters.indices {
      var descriptor = oct_patches_desc(
        n: count, h: shape.height, w: shape.width, c: shape.channels, kh: filters[index].kernelHeight,
        kw: filters[index].kernelWidth)
      let scratch = AlignedBuffer(byteCount: oct_patch_moments_scratch_bytes(&descriptor))
      check(
        oct_patch_moments(&descriptor, images, &filters[index].moments, scratch.base, Int32(threads)))
    }
    self.images += count
  }

  /// Writes the filters into the network.
  /// - Precondition: there were images.
  public func finish() {
    precondition(images > 0, "whitening needs images")
    let shape = network.inputShape
    for filter in filters {
      let positions = (shape.height - filter.kernelHeight + 1) * (shape.width - filter.kernelWidth + 1)
      let count = Double(images * positions)
      let eigen = SymmetricEigen(filter.moments.map { $0 / count })
      var values: [Float] = []
      for (value, vector) in zip(eigen.values, eigen.vectors) {
        let factor = 1 / (max(0, value) + filter.epsilon).squareRoot()
        values += vector.map { Float($0 * factor) }
      }
      values += values.map { -$0 }
      values.withUnsafeBufferPointer { network.store($0, in: filter.parameter) }
    }
  }
}

/// Eigenvalues of a symmetric matrix in ascending order, and their vectors, by Jacobi's rotations.
struct SymmetricEigen {
  private(set) var values: [Double]
  /// Of length 1; the element of the largest size is positive.
  private(set) var vectors: [[Double]]

  /// - Parameter matrix: n × n numbers.
  init(_ matrix: [Double]) {
    let n = Int(Double(matrix.count).squareRoot().rounded())
    precondition(n * n == matrix.count, "a square matrix")
    var a = matrix
    var v = (0..<n * n).map { $0 % (n + 1) == 0 ? 1.0 : 0.0 }
    let size = a.reduce(0) { $0 + $1 * $1 }
    for _ in 0..<60 {
      var offDiagonal = 0.0
      for p in 0..<n { for q in 0..<p { offDiagonal += a[p * n + q] * a[p * n + q] } }
      // Beyond what rounding leaves of it.
      if offDiagonal <= 1e-30 * size { break }
      for q in 1..<max(2, n) where q < n {
        for p in 0..<q { Self.rotate(&a, &v, n, p, q) }
      }
    }
    let order = (0..<n).sorted { a[$0 * n + $0] < a[$1 * n + $1] }
    values = order.map { a[$0 * n + $0] }
    vectors = order.map { column in
      let vector = (0..<n).map { v[$0 * n + column] }
      let largest = vector.max { abs($0) < abs($1) } ?? 1
      return largest < 0 ? vector.map { -$0 } : vector
    }
  }

  /// Makes a[p, q] zero.
  private static func rotate(_ a: inout [Double], _ v: inout [Double], _ n: Int, _ p: Int, _ q: Int) {
    let apq = a[p * n + q]
    guard apq != 0 else { return }
    let theta = (a[q * n + q] - a[p * n + p]) / (2 * apq)
    let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
    let c = 1 / (t * t + 1).squareRoot(), s = t / (t * t + 1).squareRoot()
    for k in 0..<n {
      let (akp, akq) = (a[k * n + p], a[k * n + q])
      a[k * n + p] = c * akp - s * akq
      a[k * n + q] = s * akp + c * akq
    }
    for k in 0..<n {
      let (apk, aqk) = (a[p * n + k], a[q * n + k])
      a[p * n + k] = c * apk - s * aqk
      a[q * n + k] = s * apk + c * aqk
      let (vkp, vkq) = (v[k * n + p], v[k * n + q])
      v[k * n + p] = c * vkp - s * vkq
      v[k * n + q] = s * vkp + c * vkq
    }
  }
}
