extension Convolution: DescribedOperation {
  var form: OperationForm? {
    guard low == nil, norm == nil, activation == nil, biases.count <= 1,
      sources.allSatisfy({ $0.weight == sources[0].weight })
    else { return nil }
    if name == "linear" { return .linear(weight: sources[0].weight, bias: biases.first) }
    var whole = sources[0].geometry
    whole.input.channels = sources.reduce(0) { $0 + $1.geometry.input.channels }
    return .convolution(whole, weight: sources[0].weight, bias: biases.first)
  }
}

extension TransposedConvolution: DescribedOperation {
  var form: OperationForm? { .transposedConvolution(geometry, weight: weight, bias: bias) }
}

extension BatchNormalization: DescribedOperation {
  var form: OperationForm? {
    guard activation == nil, !addsResidual else { return nil }
    return .batchNorm(
      scale: scale, shift: shift, mean: runningMean, variance: runningVariance, epsilon: epsilon)
  }
}

extension GroupNormalization: DescribedOperation {
  var form: OperationForm? {
    .groupNorm(groups: groups, scale: scale, shift: shift, epsilon: epsilon)
  }
}

extension Pointwise: DescribedOperation {
  var form: OperationForm? { .activation(activation) }
}

extension Addition: DescribedOperation {
  var form: OperationForm? { .addition }
}

extension Gating: DescribedOperation {
  var form: OperationForm? { .gate }
}

extension Concatenation: DescribedOperation {
  var form: OperationForm? { .concatenation }
}

extension AveragePooling: DescribedOperation {
  var form: OperationForm? { .averagePool(geometry) }
}

extension MaxPooling: DescribedOperation {
  var form: OperationForm? { .maxPool(geometry) }
}

extension GlobalAveragePooling: DescribedOperation {
  var form: OperationForm? { .globalAverage }
}

extension Upsampling: DescribedOperation {
  var form: OperationForm? { .upsampling(scale: 2, isBilinear: false) }
}

extension Resampling: DescribedOperation {
  var form: OperationForm? { .upsampling(scale: scale, isBilinear: isBilinear) }
}

extension Cropping: DescribedOperation {
  var form: OperationForm? { .crop }
}

extension Dropping: DescribedOperation {
  var form: OperationForm? { .identity }
}
